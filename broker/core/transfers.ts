/**
 * Uploads and downloads under way: how many, who writes to which upload, and what has been seen of the bytes. One
 * request at a time writes to an upload; the newest one wins, because the one before it is most likely a connection
 * that is gone.
 */
import { createHash } from "node:crypto";
import {
  type ObjectName,
  type ObjectReader,
  type Objects,
  ObjectsError,
  type ObjectUpload,
} from "../../storage/objects/port.ts";
import { Turns } from "../../storage/vectors/turns.ts";
import { MeshError } from "../api/errors.ts";
import type { Limits } from "../api/limits.ts";
import type { Clock } from "./clock.ts";
import type { Metrics } from "./metrics.ts";
import { tooLarge, uploadPieces } from "./upload_body.ts";
import { UploadHashes } from "./upload_hashes.ts";

/** What the disk keeps for others: a database that cannot write loses more than an upload. */
const RESERVE_BYTES = 67_108_864;
const HASH_BYTES = 131_072;

/** An upload, as the table of files knows it. */
export interface FileUploadPlace extends ObjectUpload {
  readonly fileId: string;
  readonly sizeBytes: number;
}

/** One request's bytes. */
export interface UploadRequest {
  readonly offset: number;
  readonly stream: ReadableStream<Uint8Array> | null;
  /** Bytes that the request announces, null when it does not say. */
  readonly announcedBytes: number | null;
}

interface Writer {
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

export class Transfers {
  readonly #objects: Objects;
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, "fileTransfers" | "transferStallMs">;
  readonly #metrics: Pick<Metrics, "fileBytes" | "fileTransfers">;
  readonly #writers = new Map<string, Writer>();
  readonly #hashes = new UploadHashes();
  readonly #turns = new Turns();
  #running = 0;

  constructor(
    { objects, clock, limits, metrics }: {
      objects: Objects;
      clock: Clock;
      metrics: Pick<Metrics, "fileBytes" | "fileTransfers">;
      limits: Pick<Limits, "fileTransfers" | "transferStallMs">;
    },
  ) {
    this.#objects = objects;
    this.#clock = clock;
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** How many uploads and downloads run. */
  get running(): number {
    return this.#running;
  }

  /** Whether a request writes to this upload. */
  isWriting(fileId: string): boolean {
    return this.#writers.has(fileId);
  }

  /**
   * Runs what a member does about an upload after whatever it began before: a second commit must not find the first
   * half done, and take the shared bytes for lost ones.
   */
  async inTurn<T>(memberId: string, fileId: string, work: () => Promise<T>): Promise<T> {
    return await this.#turns.take(`${memberId} ${fileId}`, work);
  }

  /** How many bytes of an upload are stored. @throws {ObjectsError} */
  async offset(place: FileUploadPlace): Promise<number> {
    return await this.#objects.offset(place);
  }

  /**
   * Stores the bytes of one request; a request that still writes to the same upload is ended first.
   * @returns the new offset.
   * @throws {MeshError} `too_large`, `malformed`, `conflict` (another request took over), `capacity`, `storage_full`;
   *   {ObjectsError}, `wrong_offset` among them. What arrived before is kept.
   */
  async write(place: FileUploadPlace, request: UploadRequest): Promise<number> {
    const { fileId, sizeBytes } = place;
    const roomBytes = sizeBytes - request.offset;
    if ((request.announcedBytes ?? 0) > roomBytes) throw tooLarge();
    const free = this.#reserve();
    try {
      await this.stop(fileId);
      await this.requireSpace(request.announcedBytes ?? roomBytes);
      // Both waited: another request may have come first.
      if (this.#writers.has(fileId)) throw takenOver();
      return await this.#writeAlone(place, request, roomBytes);
    } finally {
      free();
    }
  }

  async #writeAlone(
    place: FileUploadPlace,
    { offset, stream }: UploadRequest,
    roomBytes: number,
  ): Promise<number> {
    const { fileId } = place;
    const controller = new AbortController();
    const running = Promise.withResolvers<void>();
    this.#writers.set(fileId, { controller, done: running.promise });
    try {
      const stands = await this.#objects.offset(place);
      if (stands !== offset) {
        throw new ObjectsError("wrong_offset", `the upload stands at ${stands}`, {
          offset: stands,
        });
      }
      const hash = this.#hashes.at(fileId, offset);
      const pieces = uploadPieces({
        stream,
        roomBytes,
        stallMs: this.#limits.transferStallMs,
        clock: this.#clock,
        signal: controller.signal,
        onPiece: (piece) => {
          this.#metrics.fileBytes.inc({ direction: "in" }, piece.length);
          if (hash === null) return;
          hash.hash.update(piece);
          hash.bytes += piece.length;
        },
      });
      return await this.#objects.append(place, offset, pieces);
    } finally {
      this.#writers.delete(fileId);
      running.resolve();
    }
  }

  /** Ends the request that writes to an upload, if there is one, and waits until what it brought is stored. */
  async stop(fileId: string): Promise<void> {
    const writer = this.#writers.get(fileId);
    if (writer === undefined) return;
    writer.controller.abort(takenOver());
    await writer.done;
  }

  /**
   * Makes a whole upload an object and tells the SHA-256 of its bytes.
   * @throws {MeshError} `conflict` when bytes are missing; {ObjectsError}.
   */
  async finish(place: FileUploadPlace): Promise<string> {
    const { fileId, sizeBytes } = place;
    await this.stop(fileId);
    const offset = await this.#objects.offset(place);
    if (offset !== sizeBytes) {
      throw new MeshError(
        "conflict",
        `${offset} of ${sizeBytes} bytes are here; send the rest, then commit`,
      );
    }
    await this.#objects.finish(place);
    return this.#hashes.digest(fileId, sizeBytes) ?? await this.#digestOf(place);
  }

  /** Nothing more will be asked of this upload. */
  forget(fileId: string): void {
    this.#hashes.forget(fileId);
  }

  /**
   * Opens an object for a download, which counts until its reader is closed.
   * @throws {MeshError} `capacity`; {ObjectsError}.
   */
  async open(
    name: ObjectName,
    range: { from: number; length: number } | undefined,
  ): Promise<ObjectReader> {
    const free = this.#reserve();
    try {
      const reader = await this.#objects.open(name, range);
      return {
        read: async (into) => {
          const count = await reader.read(into);
          this.#metrics.fileBytes.inc({ direction: "out" }, count);
          return count;
        },
        async close() {
          free();
          await reader.close();
        },
      };
    } catch (error) {
      free();
      throw error;
    }
  }

  /** @throws {MeshError} `storage_full` when the disk has no room for so many bytes and for others. */
  async requireSpace(bytes: number): Promise<void> {
    const freeBytes = await this.#objects.freeBytes();
    if (freeBytes === null || freeBytes - bytes >= RESERVE_BYTES) return;
    throw new MeshError("storage_full", "the broker's disk has no room for this file", {
      data: { retry_after_ms: 60_000 },
    });
  }

  /** Takes one of the places for transfers; returns what gives it back, once. */
  #reserve(): () => void {
    const limit = this.#limits.fileTransfers;
    if (this.#running >= limit) {
      throw new MeshError("capacity", `${limit} files are on their way; try again in a moment`, {
        data: { limit, retry_after_ms: 2_000 },
      });
    }
    this.#count(1);
    let taken = true;
    return () => {
      if (taken) this.#count(-1);
      taken = false;
    };
  }

  #count(change: number): void {
    this.#running += change;
    this.#metrics.fileTransfers.set(this.#running);
  }

  async #digestOf(name: ObjectName): Promise<string> {
    const hash = createHash("sha256");
    const reader = await this.#objects.open(name);
    try {
      const buffer = new Uint8Array(HASH_BYTES);
      for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
        hash.update(buffer.subarray(0, count));
      }
    } finally {
      await reader.close();
    }
    return hash.digest("hex");
  }
}

function takenOver(): MeshError {
  return new MeshError("conflict", "another request goes on with this upload");
}
