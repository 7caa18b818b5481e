/** Tests of file blobs, with libsodium as second opinion. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { concatBytes } from "./bytes.ts";
import { openFileBlob, sealFileBlob } from "./file_blob.ts";
import { randomBytes } from "./random.ts";

await sodium.ready;

const fileKey = randomBytes(32);

Deno.test("a blob opens under its key, for us and for libsodium", () => {
  fc.assert(fc.property(fc.uint8Array(), (plain) => {
    const blob = sealFileBlob(plain, fileKey);
    assert.deepEqual(openFileBlob(blob, fileKey), plain);
    const [nonce, box] = [blob.subarray(0, 24), blob.subarray(24)];
    assert.deepEqual(sodium.crypto_secretbox_open_easy(box, nonce, fileKey), plain);
    const theirs = concatBytes(nonce, sodium.crypto_secretbox_easy(plain, nonce, fileKey));
    assert.deepEqual(openFileBlob(theirs, fileKey), plain);
  }));
});

Deno.test("another key, a flipped bit or junk opens as nothing", () => {
  const blob = sealFileBlob(randomBytes(50), fileKey);
  assert.equal(openFileBlob(blob, randomBytes(32)), null);
  fc.assert(fc.property(fc.nat(blob.length * 8 - 1), fc.uint8Array(), (bit, junk) => {
    const changed = Uint8Array.from(blob);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(openFileBlob(changed, fileKey), null);
    assert.equal(openFileBlob(junk, fileKey), null);
  }));
});
