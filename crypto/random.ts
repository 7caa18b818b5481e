/** Random bytes, ids and codes from the system's generator; ids here may serve as credentials. */
import { randomFillSync } from "node:crypto";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// The largest multiple of 62 in a byte: bytes from here on are thrown away, or some characters
// would come up more often than others.
const UNBIASED_BELOW = 248;

/** `length` random bytes. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length));
}

/** A new id: 32 base62 characters, 190 bits. */
export function randomId(): string {
  return randomCode(32);
}

/** `length` base62 characters, each equally likely (5.95 bits a character). */
export function randomCode(length: number): string {
  let code = "";
  while (code.length < length) {
    for (const byte of randomBytes(length - code.length + 8)) {
      if (byte < UNBIASED_BELOW && code.length < length) code += BASE62.charAt(byte % 62);
    }
  }
  return code;
}
