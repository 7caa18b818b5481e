/**
 * Bytes to text and back (hex, base64, UTF-8), joining and comparing.
 *
 * All conversions are V8's own: 20 to 35 times faster than those of the crypto libraries. They run
 * in Deno 2.6 and later.
 */
import { timingSafeEqual } from "node:crypto";

const encoder = new TextEncoder();
// ignoreBOM keeps a leading U+FEFF, so that decoding is the exact inverse of encoding.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Lower-case hex of `bytes`, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/**
 * The bytes behind hex of either case. Throws SyntaxError on an odd length or a foreign character.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text);
}

/** Standard base64 with padding (the ORIGINAL variant of protocol.md 4). */
export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * The bytes behind standard, padded base64. Throws SyntaxError on anything that `toBase64` would
 * not have written: white space, missing padding, stray bits, the URL alphabet.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  // The decoder skips white space; only the length tells.
  if (text.length !== Math.ceil(bytes.length / 3) * 4) {
    throw new SyntaxError("base64 must hold no white space");
  }
  return bytes;
}

/** URL-safe base64 without padding (the URLSAFE_NO_PADDING variant of protocol.md 4). */
export function toBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * The bytes behind URL-safe base64 without padding. Throws SyntaxError on anything that
 * `toBase64Url` would not have written.
 */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const padded = text + "=".repeat((4 - (text.length % 4)) % 4);
  const bytes = Uint8Array.fromBase64(padded, {
    alphabet: "base64url",
    lastChunkHandling: "strict",
  });
  if (text.length !== Math.ceil((bytes.length * 4) / 3)) {
    throw new SyntaxError("base64url must hold neither padding nor white space");
  }
  return bytes;
}

/** UTF-8 of `text`; a lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** The text behind UTF-8 bytes. Throws TypeError when they are not UTF-8. */
export function utf8Decode(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** One array holding `parts` one after the other. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Whether both arrays hold the same bytes, in a time that depends on their length only. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
