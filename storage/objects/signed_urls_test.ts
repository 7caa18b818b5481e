/** The signed tokens of transfers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { SignedUrls } from "./signed_urls.ts";

const key = new Uint8Array(32).fill(7);
const urls = new SignedUrls(key);
const claims = {
  purpose: "get",
  bucket: "mesh-a",
  key: "shared/f1/ä",
  label: "mesh1/f1/a1",
  expiresAtMs: 60_000,
} as const;

Deno.test("a token gives its claims back until it expires, and for its purpose alone", () => {
  const token = urls.sign(claims);
  assert.match(token, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(urls.verify(token, "get", 59_999), claims);
  assert.equal(urls.verify(token, "get", 60_000), "expired");
  assert.equal(urls.verify(token, "put", 0), "bad_signature");
});

Deno.test("a token of another key is none", () => {
  const other = new SignedUrls(new Uint8Array(32).fill(8));
  assert.equal(urls.verify(other.sign(claims), "get", 0), "bad_signature");
});

Deno.test("a token that was changed in any place is none", () => {
  const token = urls.sign(claims);
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom("A", "b", ".", "-"), (at, put) => {
      const changed = token.slice(0, at) + put + token.slice(at + 1);
      if (changed !== token) assert.equal(urls.verify(changed, "get", 0), "bad_signature");
    }),
  );
});

Deno.test("junk is no token and throws nothing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (junk) => {
    assert.equal(urls.verify(junk, "get", 0), "bad_signature");
  }));
});
