/**
 * What stands for an encrypted body: random bytes. The broker cannot tell, and nothing is measured of encryption here.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";

/** The size of the body that the targets speak of. */
export const CIPHERTEXT_BYTES = 600;

/** Base64 of as many random bytes. */
export function randomCiphertext(bytes = CIPHERTEXT_BYTES): string {
  return Buffer.from(randomBytes(bytes)).toString("base64");
}
