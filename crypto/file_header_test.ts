/** Tests of the header of shared files, with noble's AES-GCM as second implementation. */
import assert from "node:assert/strict";
import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { concatBytes, toHex, utf8Decode, utf8Encode } from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import {
  FILE_HEADER_BYTES,
  type FileFacts,
  HEADER_START_BYTES,
  headerLength,
  MAX_HEADER_BYTES,
  noncePrefixOf,
  openFileHeader,
  sealFileHeader,
} from "./file_header.ts";
import { newFileKey } from "./file_key.ts";
import { generateKeyPair, keyPairFromSeed, sign } from "./sign.ts";

const alice = keyPairFromSeed(new Uint8Array(32).fill(1));
const mallory = generateKeyPair();
const fileKey = new Uint8Array(32).fill(5);
const noncePrefix = new Uint8Array(7).fill(7);
const place = { meshId: "mesh_1", fileId: "file_1" };
const expected = { ...place, by: alice.publicKey };
const facts: FileFacts = {
  mesh: "mesh_1",
  file: "file_1",
  name: "grüße.txt",
  sizeBytes: 9,
  sha256: "ab".repeat(32),
  by: alice.publicKey,
  sharedAt: 1_767_225_600_000,
};

function seal(changed: Partial<FileFacts> = {}, keys = alice): Promise<Uint8Array> {
  return sealFileHeader({ ...facts, ...changed }, fileKey, noncePrefix, keys.secretKey);
}

function nobleGcm(start: Uint8Array) {
  const info = utf8Encode("claudemesh/v2/file/header|mesh_1|file_1");
  const key = hkdf(sha256, fileKey, undefined, info, 32);
  const nonce = concatBytes(start.subarray(4, 11), new Uint8Array(5));
  return gcm(key, nonce, start);
}

/** A header that somebody with the file key made by hand. */
function sealByHand(inside: unknown): Uint8Array {
  const plain = utf8Encode(typeof inside === "string" ? inside : canonicalJson(inside));
  const start = concatBytes(utf8Encode("CMF"), Uint8Array.of(1), noncePrefix, new Uint8Array(2));
  new DataView(start.buffer).setUint16(11, plain.length + 16);
  return concatBytes(start, nobleGcm(start).encrypt(plain));
}

Deno.test("a header tells what its sharer signed", async () => {
  const header = await seal();
  assert.equal(header.length, FILE_HEADER_BYTES);
  assert.equal(headerLength(header), header.length);
  assert.equal(headerLength(header.subarray(0, HEADER_START_BYTES)), header.length);
  assert.deepEqual(noncePrefixOf(header), noncePrefix);
  assert.deepEqual(await openFileHeader(header, fileKey, expected), { ok: true, facts });
});

Deno.test("the second implementation reads a header and writes one that is read", async () => {
  const header = await seal();
  const start = header.slice(0, HEADER_START_BYTES);
  const inside = JSON.parse(utf8Decode(nobleGcm(start).decrypt(header.slice(HEADER_START_BYTES))));
  const sig = sign("claudemesh-file|v1|" + canonicalJson(facts), alice.secretKey);
  assert.deepEqual(inside, { ...facts, sig });
  const result = await openFileHeader(sealByHand({ ...facts, sig }), fileKey, expected);
  assert.deepEqual(result, { ok: true, facts });
});

Deno.test("fixed keys give the golden vector", async () => {
  assert.equal(
    toHex(sha256(await seal())),
    "ceeccf1a581b2ef30c3897b2e5d4be22c7eac360d5153d996df3a096ec0522e7",
  );
});

Deno.test("another file key, mesh or file id opens nothing", async () => {
  const header = await seal();
  const cannot = { ok: false, reason: "cannot_decrypt" };
  assert.deepEqual(await openFileHeader(header, newFileKey(), expected), cannot);
  for (const other of [{ meshId: "mesh_2" }, { fileId: "file_2" }]) {
    const result = await openFileHeader(header, fileKey, { ...expected, ...other });
    assert.deepEqual(result, cannot);
  }
});

Deno.test("facts that another signed, or nobody, are refused", async () => {
  const forged = { ...facts, by: mallory.publicKey };
  const signed = await seal({ by: mallory.publicKey }, mallory);
  assert.deepEqual(await openFileHeader(signed, fileKey, expected), {
    ok: false,
    reason: "wrong_sender",
  });
  const sig = sign("claudemesh-file|v1|" + canonicalJson(forged), mallory.secretKey);
  for (const inside of [{ ...facts, sig }, { ...facts, name: "other", sig }]) {
    const result = await openFileHeader(sealByHand(inside), fileKey, expected);
    assert.deepEqual(result, { ok: false, reason: "bad_signature" });
  }
});

Deno.test("a signature for another file does not serve this one", async () => {
  for (const other of [{ mesh: "mesh_2" }, { file: "file_2" }]) {
    const moved = { ...facts, ...other };
    const sig = sign("claudemesh-file|v1|" + canonicalJson(moved), alice.secretKey);
    const result = await openFileHeader(sealByHand({ ...moved, sig }), fileKey, expected);
    assert.deepEqual(result, { ok: false, reason: "wrong_place" });
  }
});

Deno.test("what is inside but no facts is refused", async () => {
  const sig = "0".repeat(128);
  const inside = [
    "no json",
    "[]",
    { ...facts },
    { ...facts, sig: "x" },
    { ...facts, sizeBytes: -1, sig },
    { ...facts, sha256: "short", sig },
    { ...facts, name: "", sig },
    { ...facts, name: "x".repeat(256), sig },
  ];
  for (const each of inside) {
    const result = await openFileHeader(sealByHand(each), fileKey, expected);
    assert.deepEqual(result, { ok: false, reason: "malformed" });
  }
});

Deno.test("a changed byte anywhere in a header is found out", async () => {
  const header = await seal();
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: header.length - 1 }), fc.integer({ min: 1, max: 255 }), async (
      at,
      change,
    ) => {
      const changed = header.slice();
      changed[at]! ^= change;
      assert.equal((await openFileHeader(changed, fileKey, expected)).ok, false);
    }),
  );
});

Deno.test("junk is no header and never throws", async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.uint8Array({ maxLength: 64 }).map((rest) => concatBytes(sealByHand("").slice(0, 13), rest)),
  );
  await fc.assert(fc.asyncProperty(bytes, async (junk) => {
    assert.equal((await openFileHeader(junk, fileKey, expected)).ok, false);
  }));
});

Deno.test("a header of another version or beyond the limit has no length", async () => {
  const start = (await seal()).slice(0, HEADER_START_BYTES);
  const newer = start.slice();
  newer[3] = 2;
  assert.equal(headerLength(newer), null);
  assert.equal(headerLength(start.subarray(0, HEADER_START_BYTES - 1)), null);
  const view = new DataView(start.buffer);
  view.setUint16(11, MAX_HEADER_BYTES - HEADER_START_BYTES);
  assert.equal(headerLength(start), MAX_HEADER_BYTES);
  view.setUint16(11, MAX_HEADER_BYTES - HEADER_START_BYTES + 1);
  assert.equal(headerLength(start), null);
});

Deno.test("the longest facts fit, and make a header of the same length", async () => {
  const name = "\u0001".repeat(255);
  const place = { meshId: "m".repeat(128), fileId: "f".repeat(128) };
  const longest = {
    ...facts,
    name,
    mesh: place.meshId,
    file: place.fileId,
    sizeBytes: Number.MAX_SAFE_INTEGER,
    sharedAt: Number.MAX_SAFE_INTEGER,
  };
  const header = await seal(longest);
  assert.equal(header.length, FILE_HEADER_BYTES);
  const by = alice.publicKey;
  const result = await openFileHeader(header, fileKey, { ...place, by });
  assert.deepEqual(result, { ok: true, facts: longest });
});

Deno.test("facts that are none, or are signed with another's key, are not sealed", async () => {
  for (const changed of [{ name: "" }, { sizeBytes: 0.5 }, { sha256: "" }]) {
    await assert.rejects(seal(changed), TypeError);
  }
  await assert.rejects(seal({}, mallory), TypeError);
});
