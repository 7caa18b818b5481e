/** Tests of direct messages in both body versions, with libsodium as second opinion. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { fromBase64, fromHex, toBase64, utf8Decode, utf8Encode } from "./bytes.ts";
import { openDirect, openDirectV1, sealDirect, sealDirectV1 } from "./direct_message.ts";
import { encodeSignedBody, type MessageFields } from "./message_body.ts";
import { generateKeyPair } from "./sign.ts";

await sodium.ready;

const alice = generateKeyPair();
const bob = generateKeyPair();
const mallory = generateKeyPair();

const fields: MessageFields = {
  id: "message_1",
  mesh: "mesh_1",
  from: alice.publicKey,
  to: bob.publicKey,
  sentAt: 1_767_225_600_000,
  priority: "next",
  type: "text",
  body: "grüße",
};
const CANNOT_DECRYPT = { ok: false, reason: "cannot_decrypt" };

function sodiumKeys(keys: { publicKey: string; secretKey: string }) {
  return {
    publicKey: sodium.crypto_sign_ed25519_pk_to_curve25519(fromHex(keys.publicKey)),
    secretKey: sodium.crypto_sign_ed25519_sk_to_curve25519(fromHex(keys.secretKey)),
  };
}

Deno.test("the recipient opens a sealed message and nobody else does, its sender included", () => {
  const sealed = sealDirect(fields, alice.secretKey, bob.publicKey);
  assert.deepEqual(openDirect(sealed, bob.secretKey, fields), { ok: true, body: fields });
  for (const keys of [alice, mallory]) {
    assert.deepEqual(openDirect(sealed, keys.secretKey, fields), CANNOT_DECRYPT);
  }
});

Deno.test("libsodium opens the box of body version 2 with the key in front of it", () => {
  const sealed = sealDirect(fields, alice.secretKey, bob.publicKey);
  const bytes = fromBase64(sealed.ciphertext);
  const { secretKey } = sodiumKeys(bob);
  const inside = sodium.crypto_box_open_easy(
    bytes.subarray(32),
    fromBase64(sealed.nonce),
    bytes.subarray(0, 32),
    secretKey,
  );
  assert.equal(utf8Decode(inside), utf8Decode(encodeSignedBody(fields, alice.secretKey)));
});

Deno.test("a body version 2 that libsodium sealed is opened", () => {
  const ephemeral = sodium.crypto_box_keypair();
  const nonce = sodium.randombytes_buf(24);
  const inside = encodeSignedBody(fields, alice.secretKey);
  const { publicKey } = sodiumKeys(bob);
  const box = sodium.crypto_box_easy(inside, nonce, publicKey, ephemeral.privateKey);
  const ciphertext = Buffer.concat([ephemeral.publicKey, box]).toString("base64");
  const sealed = { nonce: toBase64(nonce), ciphertext };
  assert.deepEqual(openDirect(sealed, bob.secretKey, fields), { ok: true, body: fields });
});

Deno.test("a message that was sealed again to another is refused by that other", () => {
  const inside = encodeSignedBody(fields, alice.secretKey);
  const ephemeral = sodium.crypto_box_keypair();
  const nonce = sodium.randombytes_buf(24);
  const { publicKey } = sodiumKeys(mallory);
  const box = sodium.crypto_box_easy(inside, nonce, publicKey, ephemeral.privateKey);
  const ciphertext = Buffer.concat([ephemeral.publicKey, box]).toString("base64");
  const sealed = { nonce: toBase64(nonce), ciphertext };
  const expected = { ...fields, to: mallory.publicKey };
  const result = openDirect(sealed, mallory.secretKey, expected);
  assert.deepEqual(result, { ok: false, reason: "wrong_target" });
});

Deno.test("no two messages share a nonce or an ephemeral key", () => {
  const first = sealDirect(fields, alice.secretKey, bob.publicKey);
  const second = sealDirect(fields, alice.secretKey, bob.publicKey);
  assert.notEqual(first.nonce, second.nonce);
  assert.notEqual(first.ciphertext.slice(0, 42), second.ciphertext.slice(0, 42));
});

Deno.test("a flipped bit in nonce or ciphertext keeps both versions shut", () => {
  const sealed = sealDirect(fields, alice.secretKey, bob.publicKey);
  const sealedV1 = sealDirectV1("text", alice.secretKey, bob.publicKey);
  const position = fc.record({
    field: fc.constantFrom("nonce" as const, "ciphertext" as const),
    at: fc.nat(),
  });
  fc.assert(fc.property(position, ({ field, at }) => {
    // The top bit of the ephemeral key means nothing to X25519.
    fc.pre(field === "nonce" || at % (fromBase64(sealed.ciphertext).length * 8) !== 255);
    const changed = { ...sealed, [field]: flip(sealed[field], at) };
    assert.deepEqual(openDirect(changed, bob.secretKey, fields), CANNOT_DECRYPT);
    const changedV1 = { ...sealedV1, [field]: flip(sealedV1[field], at) };
    assert.equal(openDirectV1(changedV1, bob.secretKey, alice.publicKey), null);
  }));
});

function flip(text: string, at: number): string {
  const bytes = fromBase64(text);
  const bit = at % (bytes.length * 8);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return toBase64(bytes);
}

Deno.test("junk opens as nothing and never throws", () => {
  const text = fc.oneof(fc.string(), fc.base64String());
  fc.assert(fc.property(text, text, text, (nonce, ciphertext, from) => {
    assert.deepEqual(openDirect({ nonce, ciphertext }, bob.secretKey, fields), CANNOT_DECRYPT);
    assert.equal(openDirectV1({ nonce, ciphertext }, bob.secretKey, alice.publicKey), null);
    assert.equal(openDirectV1({ nonce, ciphertext }, bob.secretKey, from), null);
  }));
});

Deno.test("body version 1 goes both ways between us and libsodium", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const sealed = sealDirectV1(text, alice.secretKey, bob.publicKey);
      const ours = sodiumKeys(alice);
      const theirs = sodiumKeys(bob);
      const plain = sodium.crypto_box_open_easy(
        fromBase64(sealed.ciphertext),
        fromBase64(sealed.nonce),
        ours.publicKey,
        theirs.secretKey,
      );
      assert.equal(utf8Decode(plain), text);
      const nonce = sodium.randombytes_buf(24);
      const box = sodium.crypto_box_easy(
        utf8Encode(text),
        nonce,
        ours.publicKey,
        theirs.secretKey,
      );
      const answer = { nonce: toBase64(nonce), ciphertext: toBase64(box) };
      assert.equal(openDirectV1(answer, alice.secretKey, bob.publicKey), text);
    }),
    { numRuns: 25 },
  );
});

Deno.test("a body version 1 that is no text is none", () => {
  const nonce = sodium.randombytes_buf(24);
  const box = sodium.crypto_box_easy(
    Uint8Array.of(0xff),
    nonce,
    sodiumKeys(bob).publicKey,
    sodiumKeys(alice).secretKey,
  );
  const sealed = { nonce: toBase64(nonce), ciphertext: toBase64(box) };
  assert.equal(openDirectV1(sealed, bob.secretKey, alice.publicKey), null);
});

Deno.test("a message is not sealed to what is no key", () => {
  const low = "01" + "00".repeat(31);
  for (const key of ["", low, bob.publicKey.toUpperCase()]) {
    assert.throws(() => sealDirect(fields, alice.secretKey, key), TypeError);
    assert.throws(() => sealDirectV1("text", alice.secretKey, key), TypeError);
  }
});
