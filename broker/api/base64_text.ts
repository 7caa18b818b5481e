/**
 * Whether a text is base64. Every message's ciphertext is looked through, so this is done by the runtime's decoder, which
 * takes a tenth of a pattern's time.
 */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** As JSON Schema has it. */
export const BASE64_PATTERN = BASE64.source;

/** What is decoded to be thrown away; longer texts are rare, and matched by the pattern. */
const scratch = new Uint8Array(24_576) as Decoder;

/** ECMAScript's `Uint8Array.prototype.setFromBase64`. */
interface Decoder extends Uint8Array {
  setFromBase64(
    text: string,
    options: { lastChunkHandling: "strict" },
  ): { read: number; written: number };
}

/** Returns whether `text` has characters of base64 alone (RFC 4648, 4), with or without padding. */
export function isBase64Text(text: string): boolean {
  return isDecoded(text) || BASE64.test(text);
}

/** True for padded base64 that fits; the decoder skips blanks, which show in what it wrote. */
function isDecoded(text: string): boolean {
  const { length } = text;
  if (length % 4 !== 0 || length * 3 > scratch.length * 4) return false;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  try {
    const { written } = scratch.setFromBase64(text, { lastChunkHandling: "strict" });
    return written === length / 4 * 3 - padding;
  } catch {
    return false;
  }
}
