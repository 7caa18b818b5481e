/**
 * A file of this disk as sealed parts to be sent: header and chunks, each sealed exactly once, so that no nonce ever
 * serves two contents; a part is kept until it has arrived, whatever happens to the connection.
 */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import {
  FILE_CHUNK_BYTES,
  type FileCipher,
  sealChunk,
  sealedBytes,
} from "../../../crypto/file_stream.ts";
import { FILE_HEADER_BYTES } from "../../../crypto/file_header.ts";
import { concatBytes } from "../../../crypto/bytes.ts";
import { LocalError } from "../local_error.ts";

/** What goes over the wire for so many bytes of content. */
export function ciphertextBytes(contentBytes: number): number {
  return FILE_HEADER_BYTES + sealedBytes(contentBytes);
}

/** Some of the ciphertext. */
export interface SealedPart {
  /** Where it begins. */
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A megabyte of content: two such parts are in memory at a time, one being sealed while the other is sent. */
const CHUNKS_PER_PART = 16;
const PART_BYTES = CHUNKS_PER_PART * FILE_CHUNK_BYTES;
const HASH_BYTES = 1_048_576;

/**
 * SHA-256 of the first `sizeBytes` bytes, 64 hex. `onBytes` is told how many were read each time.
 * @throws {LocalError} `invalid_file` when the file is shorter; what `signal` was aborted with.
 */
export async function hashFile(
  handle: FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(HASH_BYTES);
  for (let at = 0; at < sizeBytes;) {
    signal.throwIfAborted();
    const count = await readInto(handle, buffer, at, Math.min(HASH_BYTES, sizeBytes - at));
    hash.update(buffer.subarray(0, count));
    at += count;
    onBytes(count);
  }
  return hash.digest("hex");
}

/** Seals a file part by part and hashes what went in and what came out. */
export class SealedParts {
  readonly #handle: FileHandle;
  readonly #cipher: FileCipher;
  readonly #sizeBytes: number;
  readonly #contentHash = createHash("sha256");
  readonly #sealedHash = createHash("sha256");
  readonly #buffer: Uint8Array;
  #contentAt = 0;
  #offset = 0;
  #next: Promise<SealedPart> | null;

  constructor(handle: FileHandle, cipher: FileCipher, sizeBytes: number) {
    this.#handle = handle;
    this.#cipher = cipher;
    this.#sizeBytes = sizeBytes;
    this.#buffer = new Uint8Array(Math.min(PART_BYTES, sizeBytes));
    this.#next = this.#begin();
  }

  /**
   * The next part, null after the last one. The one behind it is sealed meanwhile.
   * @throws {LocalError} `invalid_file` when the file has changed its length.
   */
  async next(): Promise<SealedPart | null> {
    const part = await this.#next;
    if (part === null) return null;
    this.#next = this.#contentAt < this.#sizeBytes ? this.#begin() : null;
    return part;
  }

  /** After the last part: SHA-256 of content and of ciphertext, 64 hex each. */
  digests(): { content: string; sealed: string } {
    return { content: this.#contentHash.digest("hex"), sealed: this.#sealedHash.digest("hex") };
  }

  /** Waits for what is being sealed, so that the file can be closed. */
  async end(): Promise<void> {
    // Whoever ends early has another failure to tell.
    await this.#next?.catch(() => {});
  }

  #begin(): Promise<SealedPart> {
    const part = this.#seal();
    // Awaited by `next`; a failure that comes before must not count as unhandled.
    part.catch(() => {});
    return part;
  }

  async #seal(): Promise<SealedPart> {
    const first = this.#contentAt / FILE_CHUNK_BYTES;
    const count = Math.min(PART_BYTES, this.#sizeBytes - this.#contentAt);
    // One part is sealed at a time, so all can be read into the same bytes.
    const content = this.#buffer.subarray(0, count);
    await readInto(this.#handle, content, this.#contentAt, count);
    this.#contentHash.update(content);
    const isEnd = this.#contentAt + count === this.#sizeBytes;
    const chunks = Math.max(1, Math.ceil(count / FILE_CHUNK_BYTES));
    const sealed = await Promise.all(Array.from({ length: chunks }, (_, index) => {
      const chunk = content.subarray(index * FILE_CHUNK_BYTES, (index + 1) * FILE_CHUNK_BYTES);
      return sealChunk(this.#cipher, first + index, chunk, isEnd && index === chunks - 1);
    }));
    const bytes = concatBytes(...(first === 0 ? [this.#cipher.header] : []), ...sealed);
    this.#sealedHash.update(bytes);
    const part = { offset: this.#offset, bytes };
    this.#contentAt += count;
    this.#offset += bytes.length;
    return part;
  }
}

/** Fills the first `count` bytes of `buffer` from `position` on; returns `count`. */
async function readInto(
  handle: FileHandle,
  buffer: Uint8Array,
  position: number,
  count: number,
): Promise<number> {
  for (let filled = 0; filled < count;) {
    const { bytesRead } = await handle.read(buffer, filled, count - filled, position + filled);
    if (bytesRead === 0) throw changed();
    filled += bytesRead;
  }
  return count;
}

/** The file is not what it was when the transfer began. */
export function changed(): LocalError {
  return new LocalError("invalid_file", "the file has changed while it was shared", {
    hint: "share it again when nothing writes to it any more",
  });
}
