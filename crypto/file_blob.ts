/**
 * File blobs of the original's format (protocol.md 4.5): a nonce, then a secret box under a file
 * key.
 */
import { NONCE_BYTES, secretboxOpen, secretboxSeal } from "./box.ts";
import { concatBytes } from "./bytes.ts";
import { randomBytes } from "./random.ts";

/** `plain` sealed under a file key of 32 bytes. Throws TypeError on a key of another length. */
export function sealFileBlob(plain: Uint8Array, fileKey: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  return concatBytes(nonce, secretboxSeal(plain, nonce, fileKey));
}

/** The content of a blob, or null when it was not sealed so under this key (32 bytes). */
export function openFileBlob(blob: Uint8Array, fileKey: Uint8Array): Uint8Array | null {
  return secretboxOpen(blob.subarray(NONCE_BYTES), blob.subarray(0, NONCE_BYTES), fileKey);
}
