/** Tests of the conversions between bytes and text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  concatBytes,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  toBase64,
  toBase64Url,
  toHex,
  utf8Decode,
  utf8Encode,
} from "./bytes.ts";

Deno.test("every encoding gives back the bytes it was given", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
    assert.deepEqual(fromHex(toHex(bytes)), bytes);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
  }));
});

Deno.test("a text that decodes is the text that its bytes encode to", () => {
  const alphabet = fc.constantFrom(..."AQgz0+/-_= \n");
  const text = fc.array(alphabet, { maxLength: 9 }).map((characters) => characters.join(""));
  fc.assert(fc.property(text, (text) => {
    assert.ok(isRejectedOr(text, fromBase64, toBase64));
    assert.ok(isRejectedOr(text, fromBase64Url, toBase64Url));
  }));
});

function isRejectedOr(
  text: string,
  decode: (text: string) => Uint8Array,
  encode: (bytes: Uint8Array) => string,
): boolean {
  try {
    return encode(decode(text)) === text;
  } catch (error) {
    return error instanceof SyntaxError;
  }
}

Deno.test("malformed base64 and hex throw SyntaxError", () => {
  for (const text of ["AA", "AB==", "A A==", "AA==\n", "-_8=", "====", "é==="]) {
    assert.throws(() => fromBase64(text), SyntaxError, text);
  }
  for (const text of ["AA==", "AB", "A", "+/8", "A A", "AA\n"]) {
    assert.throws(() => fromBase64Url(text), SyntaxError, text);
  }
  for (const text of ["a", "0g", " 00", "0x00"]) {
    assert.throws(() => fromHex(text), SyntaxError, text);
  }
});

Deno.test("hex of either case is read and lower case is written", () => {
  assert.equal(toHex(fromHex("AbFf")), "abff");
});

Deno.test("UTF-8 comes back exactly, a byte order mark included, and junk throws TypeError", () => {
  assert.equal(utf8Decode(utf8Encode("\ufeffgrüße 🜁")), "\ufeffgrüße 🜁");
  assert.throws(() => utf8Decode(Uint8Array.of(0xc3, 0x28)), TypeError);
});

Deno.test("joined parts stand one after the other", () => {
  const joined = concatBytes(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3));
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3));
});

Deno.test("arrays are equal only with the same length and the same bytes", () => {
  assert.ok(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  assert.ok(!equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
});
