/**
 * Fetches a shared file: opens its header, opens and writes chunk by chunk, goes on where a connection ended, and gives
 * the file its name only when all of it is what its sharer signed.
 */
import { createHash } from "node:crypto";
import type * as z from "zod";
import { sharedFiles } from "../../../broker/api/shared_files.ts";
import {
  type FileFacts,
  HEADER_START_BYTES,
  headerLength,
  noncePrefixOf,
  openFileHeader,
} from "../../../crypto/file_header.ts";
import {
  type FileCipher,
  fileCipher,
  openChunk,
  SEALED_CHUNK_BYTES,
  sealedBytes,
} from "../../../crypto/file_stream.ts";
import { concatBytes } from "../../../crypto/bytes.ts";
import { LocalError } from "../local_error.ts";
import { Download, transferUrl } from "./file_http.ts";
import { fileKeyOf } from "./file_keys.ts";
import { PartFile, refuseExisting, targetPath } from "./part_file.ts";
import { Persistence } from "./persistence.ts";
import type { TransferControl, TransferWorld } from "./transfer.ts";

export interface FetchRequest {
  readonly fileId: string;
  /** Absolute; a folder, or a path that ends with a slash, takes the sharer's name. */
  readonly saveTo: string;
  /** Write over what is there. */
  readonly force: boolean;
}

export interface FetchedResult {
  readonly fileId: string;
  /** As the sharer called it. */
  readonly name: string;
  /** Where it is now. */
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of the content, 64 hex. */
  readonly sha256: string;
  /** Display name of who shared it, by the broker's word. */
  readonly from: string;
  /** Member key of who shared it, proved by the header. */
  readonly fromKey: string;
}

type Remote = z.output<typeof sharedFiles.getFile.output>;

/** Opened at a time: enough to keep the ciphers busy, a megabyte of memory. */
const CHUNKS_AT_ONCE = 16;

/**
 * Fetches a file. @throws {MeshError} as the broker refuses, {LocalError} `already_exists`, `damaged_file`,
 * `waiting_for_key`, `disk_full`, `offline`; the signal's reason when it is aborted. Nothing is left behind then.
 */
export async function downloadFile(
  world: TransferWorld,
  request: FetchRequest,
  control: TransferControl,
): Promise<FetchedResult> {
  const persistence = new Persistence(world.clock, control.signal);
  const { fileId } = request;
  // What can be known to fail is not begun.
  if (await targetPath(request.saveTo, "") === request.saveTo) {
    await refuseExisting(request.saveTo, request.force);
  }
  const remote = await persistence.until(() => world.call(sharedFiles.getFile, { fileId }));
  return await new Fetch(world, request, control, persistence, remote).run();
}

class Fetch {
  readonly #world: TransferWorld;
  readonly #request: FetchRequest;
  readonly #control: TransferControl;
  readonly #persistence: Persistence;
  readonly #fileKey: Uint8Array;
  readonly #sealedHash = createHash("sha256");
  readonly #contentHash = createHash("sha256");
  #remote: Remote;
  /** Bytes of ciphertext that were opened and written. */
  #position = 0;
  #headerBytes = 0;
  #opened: { facts: FileFacts; cipher: FileCipher; part: PartFile } | null = null;

  constructor(
    world: TransferWorld,
    request: FetchRequest,
    control: TransferControl,
    persistence: Persistence,
    remote: Remote,
  ) {
    this.#world = world;
    this.#request = request;
    this.#control = control;
    this.#persistence = persistence;
    this.#remote = remote;
    this.#fileKey = fileKeyOf(remote, world.member.secretKey, world.keyring);
  }

  async run(): Promise<FetchedResult> {
    try {
      while (this.#opened === null || this.#position < this.#remote.size) {
        try {
          await this.#fetch();
        } catch (error) {
          await this.#goOnAfter(error);
        }
      }
      const { facts, part } = this.#opened;
      this.#checkDigests(facts);
      this.#control.signal.throwIfAborted();
      this.#opened = null;
      await part.finish();
      return {
        fileId: this.#request.fileId,
        name: facts.name,
        path: part.path,
        sizeBytes: facts.sizeBytes,
        sha256: facts.sha256,
        from: this.#remote.uploadedBy,
        fromKey: facts.by,
      };
    } finally {
      await this.#opened?.part.abandon();
    }
  }

  /** Reads on one connection from where it stands, to the end or to a failure. */
  async #fetch(): Promise<void> {
    const { brokerUrl, clock } = this.#world;
    const { signal } = this.#control;
    const url = transferUrl(this.#remote, brokerUrl);
    const download = await Download.open(url, this.#position, clock, signal);
    try {
      this.#opened ??= await this.#open(download);
      while (this.#position < this.#remote.size) await this.#takeChunks(download);
    } finally {
      await download.close();
    }
  }

  /** Reads the header and begins the file on this disk. */
  async #open(download: Download) {
    const start = await download.take(HEADER_START_BYTES);
    const length = headerLength(start);
    if (length === null || length > this.#remote.size) throw this.#damaged("it has no header");
    const header = concatBytes(start, await download.take(length - HEADER_START_BYTES));
    const { meshId } = this.#world;
    const { fileId, saveTo, force } = this.#request;
    const place = { meshId, fileId };
    const by = this.#remote.uploadedByPubkey;
    const result = await openFileHeader(header, this.#fileKey, { ...place, by });
    if (!result.ok) throw this.#damaged(HEADER_PROBLEMS[result.reason]);
    const { facts } = result;
    if (length + sealedBytes(facts.sizeBytes) !== this.#remote.size) {
      throw this.#damaged("its length is not the one that was signed");
    }
    const cipher = await fileCipher(this.#fileKey, place, noncePrefixOf(header), header);
    const part = await PartFile.create(await targetPath(saveTo, facts.name), force);
    this.#sealedHash.update(header);
    this.#headerBytes = length;
    this.#position = length;
    return { facts, cipher, part };
  }

  async #takeChunks(download: Download): Promise<void> {
    const { cipher, part } = this.#opened!;
    const { size } = this.#remote;
    const count = Math.min(CHUNKS_AT_ONCE * SEALED_CHUNK_BYTES, size - this.#position);
    const sealed = await download.take(count);
    const first = (this.#position - this.#headerBytes) / SEALED_CHUNK_BYTES;
    const chunks = Math.ceil(count / SEALED_CHUNK_BYTES);
    const isEnd = this.#position + count === size;
    const opened = await Promise.all(Array.from({ length: chunks }, (_, index) => {
      const bytes = sealed.subarray(index * SEALED_CHUNK_BYTES, (index + 1) * SEALED_CHUNK_BYTES);
      return openChunk(cipher, first + index, bytes, isEnd && index === chunks - 1);
    }));
    for (const [index, content] of opened.entries()) {
      if (content === null) throw this.#damaged(`part ${first + index} of it was changed`);
      this.#contentHash.update(content);
      await part.write(content);
    }
    this.#sealedHash.update(sealed);
    this.#position += count;
    this.#persistence.progressed();
    const { onProgress } = this.#control;
    onProgress({ phase: "fetching", doneBytes: this.#position, totalBytes: size });
  }

  /** Waits where waiting helps, and gets a new address. */
  async #goOnAfter(error: unknown): Promise<void> {
    this.#control.signal.throwIfAborted();
    await this.#persistence.pauseAfter(error);
    const { fileId } = this.#request;
    const call = () => this.#world.call(sharedFiles.getFile, { fileId });
    for (;;) {
      try {
        const again = await call();
        const { sha256, size, uploadedByPubkey } = this.#remote;
        const isSame = again.sha256 === sha256 && again.size === size &&
          again.uploadedByPubkey === uploadedByPubkey;
        if (!isSame) throw this.#damaged("the broker tells another file under its id");
        this.#remote = again;
        return;
      } catch (failure) {
        await this.#persistence.pauseAfter(failure);
      }
    }
  }

  #checkDigests(facts: FileFacts): void {
    if (this.#sealedHash.digest("hex") !== this.#remote.sha256) {
      throw this.#damaged("the broker's SHA-256 is that of other bytes");
    }
    if (this.#contentHash.digest("hex") !== facts.sha256) {
      throw this.#damaged("its content is not the one that was signed");
    }
  }

  #damaged(why: string): LocalError {
    const { name, uploadedBy } = this.#remote;
    return new LocalError(
      "damaged_file",
      `"${name}" is not what ${uploadedBy} shared: ${why}; nothing was kept`,
      { hint: "its bytes or its key were changed at the broker: ask for it to be shared again" },
    );
  }
}

const HEADER_PROBLEMS = {
  malformed: "its header is none",
  cannot_decrypt: "its header does not open with the key that belongs to it",
  wrong_sender: "somebody else than its sharer signed it",
  bad_signature: "its signature does not verify",
  wrong_place: "it was signed for another mesh or under another id",
} as const;
