/** Tests of file keys: wrapping for an epoch, and what is derived for one file alone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBase64, toHex, utf8Encode } from "./bytes.ts";
import { deriveFileKey, newFileKey, unwrapFileKey, wrapFileKey } from "./file_key.ts";
import { newEpochKey } from "./mesh_key.ts";

await sodium.ready;

const place = { meshId: "mesh_1", fileId: "file_1" };

Deno.test("a wrapped key opens under its epoch key, for its file, and nowhere else", () => {
  const [fileKey, epochKey] = [newFileKey(), newEpochKey()];
  const wrapped = wrapFileKey(fileKey, epochKey, "file_1");
  assert.deepEqual(unwrapFileKey(wrapped, epochKey, "file_1"), new Uint8Array(fileKey));
  assert.equal(unwrapFileKey(wrapped, epochKey, "file_2"), null);
  assert.equal(unwrapFileKey(wrapped, newEpochKey(), "file_1"), null);
});

Deno.test("libsodium opens a wrapped key with noble's HKDF of the epoch key", () => {
  const [fileKey, epochKey] = [newFileKey(), newEpochKey()];
  const bytes = fromBase64(wrapFileKey(fileKey, epochKey, "file_1"));
  const info = utf8Encode("claudemesh/v2/file/file_1");
  const key = hkdf(sha256, epochKey, undefined, info, 32);
  const opened = sodium.crypto_secretbox_open_easy(bytes.subarray(24), bytes.subarray(0, 24), key);
  assert.equal(toHex(opened), toHex(fileKey));
});

Deno.test("no two wrappings of one key are alike", () => {
  const [fileKey, epochKey] = [newFileKey(), newEpochKey()];
  const texts = [1, 2].map(() => wrapFileKey(fileKey, epochKey, "file_1"));
  assert.notEqual(texts[0], texts[1]);
});

Deno.test("junk unwraps to nothing and never throws", () => {
  const epochKey = newEpochKey();
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
    assert.equal(unwrapFileKey(text, epochKey, "file_1"), null);
  }));
});

Deno.test("mesh, file and use each change what is derived from a file key", () => {
  const fileKey = newFileKey();
  const derived = [
    deriveFileKey(fileKey, place, "chunks"),
    deriveFileKey(fileKey, place, "header"),
    deriveFileKey(fileKey, { ...place, meshId: "mesh_2" }, "chunks"),
    deriveFileKey(fileKey, { ...place, fileId: "file_2" }, "chunks"),
    deriveFileKey(newFileKey(), place, "chunks"),
  ];
  assert.equal(new Set(derived.map(toHex)).size, derived.length);
});

Deno.test("what is derived from a fixed key is the golden vector", () => {
  const fileKey = new Uint8Array(32).fill(5);
  const info = utf8Encode("claudemesh/v2/file/chunks|mesh_1|file_1");
  const second = toHex(hkdf(sha256, fileKey, undefined, info, 32));
  assert.equal(toHex(deriveFileKey(fileKey, place, "chunks")), second);
  assert.equal(second, "b93878193d935dc6227d76dcaaf74a4b1c831e0dd2cde67c009ffbcf905b19d1");
});

Deno.test("ids that could be read as two, and keys of another length, are refused", () => {
  const fileKey = newFileKey();
  for (const fileId of ["", "a|b", "a/b", "a b", "é"]) {
    assert.throws(() => deriveFileKey(fileKey, { ...place, fileId }, "chunks"), TypeError, fileId);
  }
  assert.throws(() => deriveFileKey(new Uint8Array(31), place, "chunks"), TypeError);
  assert.throws(() => wrapFileKey(new Uint8Array(31), newEpochKey(), "file_1"), TypeError);
  assert.throws(() => wrapFileKey(fileKey, new Uint8Array(31), "file_1"), TypeError);
});
