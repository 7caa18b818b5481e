/**
 * The SHA-256 of uploads under way, kept in step with the bytes that were stored, so that a commit need not read
 * them again. What is not known any more, after a restart or for many uploads at once, is computed from the stored
 * object.
 */
import { createHash, type Hash } from "node:crypto";

const MAX_UPLOADS = 1_024;

/** A hash and how many bytes went into it. */
export interface RunningHash {
  readonly hash: Hash;
  bytes: number;
}

export class UploadHashes {
  readonly #hashes = new Map<string, RunningHash>();

  /**
   * The hash of an upload's first `offset` bytes, null when it is not known. What was known of other bytes is
   * forgotten.
   */
  at(fileId: string, offset: number): RunningHash | null {
    const known = this.#hashes.get(fileId);
    if (known?.bytes === offset) return known;
    this.#hashes.delete(fileId);
    if (offset > 0) return null;
    const fresh = { hash: createHash("sha256"), bytes: 0 };
    this.#hashes.set(fileId, fresh);
    const [oldest] = this.#hashes.keys();
    if (this.#hashes.size > MAX_UPLOADS && oldest !== undefined) this.#hashes.delete(oldest);
    return fresh;
  }

  /** The SHA-256 (64 hex) of the first `sizeBytes` bytes, null when it is not known. */
  digest(fileId: string, sizeBytes: number): string | null {
    return this.at(fileId, sizeBytes)?.hash.copy().digest("hex") ?? null;
  }

  forget(fileId: string): void {
    this.#hashes.delete(fileId);
  }
}
