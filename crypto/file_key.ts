/**
 * The key of a shared file: 32 random bytes per file, sealed to single members (`sealKeyFor` of
 * `mesh_key.ts`) or wrapped for everybody who holds the mesh key of an epoch (CONTRACTS.md 4).
 *
 * What encrypts is derived from it together with the mesh and the file id, so that a key which a
 * broker hands out for another file opens nothing.
 */
import { NONCE_BYTES, secretboxOpen, secretboxSeal } from "./box.ts";
import { concatBytes, fromBase64, toBase64 } from "./bytes.ts";
import { hkdfSha256 } from "./kdf.ts";
import { EPOCH_KEY_BYTES } from "./mesh_key.ts";
import { randomBytes } from "./random.ts";

/** Length of a file key. */
export const FILE_KEY_BYTES = 32;

/** Where a file belongs: what its keys are bound to. */
export interface FilePlace {
  /** mesh id, letters, digits, "-" and "_" */
  meshId: string;
  /** file id, letters, digits, "-" and "_" */
  fileId: string;
}

const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** A new file key: 32 random bytes. */
export function newFileKey(): Uint8Array<ArrayBuffer> {
  return randomBytes(FILE_KEY_BYTES);
}

/**
 * `fileKey` for all who hold `epochKey` (32 bytes): a nonce, then a secret box under HKDF-SHA-256 of
 * the epoch key for this file; standard base64. Throws TypeError on a key of another length.
 */
export function wrapFileKey(fileKey: Uint8Array, epochKey: Uint8Array, fileId: string): string {
  if (fileKey.length !== FILE_KEY_BYTES) {
    throw new TypeError(`a file key has ${FILE_KEY_BYTES} bytes`);
  }
  const nonce = randomBytes(NONCE_BYTES);
  const sealed = secretboxSeal(fileKey, nonce, wrappingKey(epochKey, fileId));
  return toBase64(concatBytes(nonce, sealed));
}

/**
 * The file key that was wrapped so for this file under this epoch key, or null. Throws TypeError
 * only on an epoch key of the wrong length.
 */
export function unwrapFileKey(
  wrapped: string,
  epochKey: Uint8Array,
  fileId: string,
): Uint8Array | null {
  const key = wrappingKey(epochKey, fileId);
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(wrapped);
  } catch {
    // Not base64, so nothing that was ever wrapped.
    return null;
  }
  const opened = secretboxOpen(bytes.subarray(NONCE_BYTES), bytes.subarray(0, NONCE_BYTES), key);
  return opened?.length === FILE_KEY_BYTES ? opened : null;
}

/**
 * The key for one use ("header", "chunks") of a file, 32 bytes. Throws TypeError on a file key of
 * the wrong length or an id that could be mistaken for two.
 */
export function deriveFileKey(
  fileKey: Uint8Array,
  place: FilePlace,
  use: "header" | "chunks",
): Uint8Array {
  if (fileKey.length !== FILE_KEY_BYTES) {
    throw new TypeError(`a file key has ${FILE_KEY_BYTES} bytes`);
  }
  if (!ID.test(place.meshId) || !ID.test(place.fileId)) {
    throw new TypeError("the id of a mesh or file is letters, digits, - and _");
  }
  return hkdfSha256(fileKey, `claudemesh/v2/file/${use}|${place.meshId}|${place.fileId}`, 32);
}

function wrappingKey(epochKey: Uint8Array, fileId: string): Uint8Array {
  if (epochKey.length !== EPOCH_KEY_BYTES) {
    throw new TypeError(`an epoch key has ${EPOCH_KEY_BYTES} bytes`);
  }
  return hkdfSha256(epochKey, "claudemesh/v2/file/" + fileId, 32);
}
