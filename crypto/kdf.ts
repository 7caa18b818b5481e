/** SHA-256, HMAC-SHA-256 and HKDF-SHA-256 through node:crypto; text counts as its UTF-8. */
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { utf8Encode } from "./bytes.ts";

/** SHA-256 of `message`: 32 bytes. */
export function sha256(message: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(message).digest());
}

/** SHA-256 of `message`: 64 lower-case hex. */
export function sha256Hex(message: string | Uint8Array): string {
  return createHash("sha256").update(message).digest("hex");
}

/** HMAC-SHA-256 of `message` under `key`: 32 bytes. Compare with `equalBytes` only. */
export function hmacSha256(key: Uint8Array, message: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(message).digest());
}

/**
 * `length` bytes (at most 8160) derived from `key` for the purpose `info` (RFC 5869). Without
 * `salt` the salt is empty, which RFC 5869 makes 32 zero bytes.
 */
export function hkdfSha256(
  key: Uint8Array,
  info: string,
  length: number,
  salt: Uint8Array = new Uint8Array(),
): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", key, salt, utf8Encode(info), length));
}
