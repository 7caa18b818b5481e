/** Tests of the hashes and derivations against published vectors and libsodium. */
import assert from "node:assert/strict";
import sodium from "libsodium-wrappers-sumo";
import { toHex, utf8Encode } from "./bytes.ts";
import { hkdfSha256, hmacSha256, sha256, sha256Hex } from "./kdf.ts";

await sodium.ready;

Deno.test("SHA-256 of abc is the one of FIPS 180-4", () => {
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(sha256Hex("abc"), expected);
  assert.equal(toHex(sha256(utf8Encode("abc"))), expected);
});

Deno.test("HMAC-SHA-256 is that of libsodium", () => {
  const key = new Uint8Array(32).fill(7);
  const expected = sodium.crypto_auth_hmacsha256("message", key);
  assert.equal(toHex(hmacSha256(key, "message")), toHex(expected));
});

Deno.test("HKDF-SHA-256 gives the vector of RFC 5869 without salt and info", () => {
  const key = new Uint8Array(22).fill(0x0b);
  assert.equal(
    toHex(hkdfSha256(key, "", 42)),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
});

Deno.test("a salt and an info each change what is derived", () => {
  const key = new Uint8Array(32).fill(1);
  const derived = [
    hkdfSha256(key, "a", 32),
    hkdfSha256(key, "b", 32),
    hkdfSha256(key, "a", 32, Uint8Array.of(1)),
  ];
  assert.equal(new Set(derived.map(toHex)).size, 3);
});
