/** Tests of group messages, with libsodium and WebCrypto as second opinions. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { fromBase64, toBase64, utf8Decode, utf8Encode } from "./bytes.ts";
import { openGroup, sealGroup } from "./group_message.ts";
import { encodeSignedBody, type MessageFields } from "./message_body.ts";
import { newEpochKey } from "./mesh_key.ts";
import { generateKeyPair } from "./sign.ts";

await sodium.ready;

const alice = generateKeyPair();
const epochKey = newEpochKey();
const fields: MessageFields = {
  id: "message_1",
  mesh: "mesh_1",
  from: alice.publicKey,
  to: "@dev/frontend",
  sentAt: 1_767_225_600_000,
  priority: "low",
  replyTo: "message_0",
  type: "text",
  body: "hello all",
};
const CANNOT_DECRYPT = { ok: false, reason: "cannot_decrypt" };

async function hkdfByWebCrypto(key: Uint8Array, info: string): Promise<Uint8Array> {
  const base = await crypto.subtle.importKey("raw", Uint8Array.from(key), "HKDF", false, [
    "deriveBits",
  ]);
  const algorithm = {
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: utf8Encode(info),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, base, 256));
}

Deno.test("holders of the epoch key open a group message, for its target only", () => {
  const sealed = sealGroup(fields, alice.secretKey, epochKey);
  assert.deepEqual(openGroup(sealed, epochKey, fields), { ok: true, body: fields });
  assert.deepEqual(openGroup(sealed, newEpochKey(), fields), CANNOT_DECRYPT);
  assert.deepEqual(openGroup(sealed, epochKey, { ...fields, to: "*" }), CANNOT_DECRYPT);
});

Deno.test("another member who holds the key cannot speak in the sender's name", () => {
  const mallory = generateKeyPair();
  const sealed = sealGroup({ ...fields, from: mallory.publicKey }, mallory.secretKey, epochKey);
  const result = openGroup(sealed, epochKey, fields);
  assert.deepEqual(result, { ok: false, reason: "wrong_sender" });
});

Deno.test("libsodium and WebCrypto make and open the same secret box", async () => {
  const key = await hkdfByWebCrypto(epochKey, "claudemesh/v2/@dev/frontend");
  const inside = encodeSignedBody(fields, alice.secretKey);
  const sealed = sealGroup(fields, alice.secretKey, epochKey);
  const opened = sodium.crypto_secretbox_open_easy(
    fromBase64(sealed.ciphertext),
    fromBase64(sealed.nonce),
    key,
  );
  assert.equal(utf8Decode(opened), utf8Decode(inside));
  const nonce = sodium.randombytes_buf(24);
  const ciphertext = toBase64(sodium.crypto_secretbox_easy(inside, nonce, key));
  const theirs = { nonce: toBase64(nonce), ciphertext };
  assert.deepEqual(openGroup(theirs, epochKey, fields), { ok: true, body: fields });
});

Deno.test("a flipped bit or junk opens as nothing and never throws", () => {
  const sealed = sealGroup(fields, alice.secretKey, epochKey);
  const bytes = fromBase64(sealed.ciphertext);
  fc.assert(fc.property(fc.nat(bytes.length * 8 - 1), fc.base64String(), (bit, junk) => {
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    const flipped = { ...sealed, ciphertext: toBase64(changed) };
    assert.deepEqual(openGroup(flipped, epochKey, fields), CANNOT_DECRYPT);
    const { nonce } = sealed;
    assert.deepEqual(openGroup({ nonce, ciphertext: junk }, epochKey, fields), CANNOT_DECRYPT);
    assert.deepEqual(openGroup({ ...sealed, nonce: junk }, epochKey, fields), CANNOT_DECRYPT);
  }));
});

Deno.test("an epoch key of the wrong length is refused", () => {
  const short = epochKey.subarray(1);
  assert.throws(() => sealGroup(fields, alice.secretKey, short), TypeError);
  const sealed = sealGroup(fields, alice.secretKey, epochKey);
  assert.throws(() => openGroup(sealed, short, fields), TypeError);
});
