/** Tests of boxes, secret boxes and sealed boxes, with libsodium as second opinion. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import {
  BOX_OVERHEAD_BYTES,
  boxOpen,
  boxSeal,
  SEALED_BOX_OVERHEAD_BYTES,
  sealedBox,
  sealedBoxOpen,
  secretboxOpen,
  secretboxSeal,
} from "./box.ts";
import { toHex } from "./bytes.ts";
import { randomBytes } from "./random.ts";
import { generateX25519, sharedBoxKey } from "./x25519.ts";

await sodium.ready;

const plaintext = fc.uint8Array({ maxLength: 300 });
const alice = generateX25519();
const bob = sodium.crypto_box_keypair();

Deno.test("libsodium opens our boxes and we open its boxes", () => {
  fc.assert(
    fc.property(plaintext, (plain) => {
      const nonce = randomBytes(24);
      const boxKey = sharedBoxKey(alice.secretKey, bob.publicKey);
      const sealed = boxSeal(plain, nonce, boxKey);
      const theirs = sodium.crypto_box_easy(plain, nonce, alice.publicKey, bob.privateKey);
      assert.equal(toHex(sealed), toHex(theirs));
      assert.equal(sealed.length, plain.length + BOX_OVERHEAD_BYTES);
      assert.deepEqual(
        sodium.crypto_box_open_easy(sealed, nonce, alice.publicKey, bob.privateKey),
        plain,
      );
      assert.deepEqual(boxOpen(theirs, nonce, boxKey), plain);
    }),
    { numRuns: 40 },
  );
});

Deno.test("libsodium opens our secret boxes and we open its secret boxes", () => {
  fc.assert(
    fc.property(plaintext, (plain) => {
      const nonce = randomBytes(24);
      const key = randomBytes(32);
      const theirs = sodium.crypto_secretbox_easy(plain, nonce, key);
      assert.equal(toHex(secretboxSeal(plain, nonce, key)), toHex(theirs));
      assert.deepEqual(secretboxOpen(theirs, nonce, key), plain);
    }),
    { numRuns: 40 },
  );
});

Deno.test("libsodium opens our sealed boxes and we open its sealed boxes", () => {
  fc.assert(
    fc.property(plaintext, (plain) => {
      const ours = sealedBox(plain, bob.publicKey);
      assert.equal(ours.length, plain.length + SEALED_BOX_OVERHEAD_BYTES);
      assert.deepEqual(sodium.crypto_box_seal_open(ours, bob.publicKey, bob.privateKey), plain);
      const theirs = sodium.crypto_box_seal(plain, alice.publicKey);
      assert.deepEqual(sealedBoxOpen(theirs, alice.publicKey, alice.secretKey), plain);
    }),
    { numRuns: 40 },
  );
});

Deno.test("a flipped bit anywhere keeps a box and a sealed box shut", () => {
  const nonce = randomBytes(24);
  const key = randomBytes(32);
  const plain = randomBytes(20);
  const box = secretboxSeal(plain, nonce, key);
  const sealed = sealedBox(plain, alice.publicKey);
  for (let bit = 0; bit < box.length * 8; bit++) {
    assert.equal(secretboxOpen(flip(box, bit), nonce, key), null);
  }
  // The top bit of the ephemeral key is ignored by X25519, yet the nonce depends on it too.
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    assert.equal(sealedBoxOpen(flip(sealed, bit), alice.publicKey, alice.secretKey), null);
  }
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[bit >> 3]! ^= 1 << (bit & 7);
  return changed;
}

Deno.test("junk opens as nothing and never throws", () => {
  const key = randomBytes(32);
  fc.assert(fc.property(plaintext, fc.uint8Array({ maxLength: 30 }), (junk, nonce) => {
    assert.equal(secretboxOpen(junk, nonce, key), null);
    assert.equal(secretboxOpen(junk, new Uint8Array(24), key), null);
    assert.equal(sealedBoxOpen(junk, alice.publicKey, alice.secretKey), null);
  }));
});

Deno.test("keys and nonces of the wrong length are refused", () => {
  const plain = new Uint8Array(1);
  assert.throws(() => secretboxSeal(plain, new Uint8Array(23), new Uint8Array(32)), TypeError);
  assert.throws(() => secretboxSeal(plain, new Uint8Array(24), new Uint8Array(31)), TypeError);
  assert.throws(() => secretboxOpen(plain, new Uint8Array(24), new Uint8Array(31)), TypeError);
  assert.throws(() => sealedBox(plain, new Uint8Array(32)), TypeError);
});
