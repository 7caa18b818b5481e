/** Tests of Ed25519 keys and signatures, with libsodium and noble as second opinions. */
import assert from "node:assert/strict";
import { ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { fromHex, toHex } from "./bytes.ts";
import {
  generateKeyPair,
  isPublicKey,
  keyPairFromSeed,
  publicKeyOf,
  sign,
  verify,
} from "./sign.ts";

await sodium.ready;

const bytes = fc.uint8Array({ maxLength: 200 });
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });

Deno.test("key pairs and signatures are those of libsodium, and each checks the other's", () => {
  fc.assert(
    fc.property(seed, bytes, (seed, message) => {
      const ours = keyPairFromSeed(seed);
      const theirs = sodium.crypto_sign_seed_keypair(seed);
      assert.equal(ours.publicKey, toHex(theirs.publicKey));
      assert.equal(ours.secretKey, toHex(theirs.privateKey));
      const signature = sign(message, ours.secretKey);
      const theirSignature = sodium.crypto_sign_detached(message, theirs.privateKey);
      assert.equal(signature, toHex(theirSignature));
      assert.ok(
        sodium.crypto_sign_verify_detached(fromHex(signature), message, theirs.publicKey),
      );
      assert.ok(verify(message, toHex(theirSignature), ours.publicKey));
    }),
    { numRuns: 50 },
  );
});

Deno.test("a changed message, signature or key never verifies", () => {
  const { publicKey, secretKey } = generateKeyPair();
  const signature = sign("text", secretKey);
  assert.ok(verify("text", signature, publicKey));
  assert.ok(!verify("texu", signature, publicKey));
  fc.assert(fc.property(fc.integer({ min: 0, max: 511 }), (bit) => {
    const changed = fromHex(signature);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(!verify("text", toHex(changed), publicKey));
    const key = fromHex(publicKey);
    key[(bit >> 3) % 32]! ^= 1 << (bit & 7);
    assert.ok(!verify("text", signature, toHex(key)));
  }));
});

Deno.test("junk never verifies and never throws", () => {
  const { publicKey, secretKey } = generateKeyPair();
  const signature = sign("text", secretKey);
  fc.assert(fc.property(fc.anything(), fc.string(), (junk, text) => {
    assert.equal(verify("text", junk as string, publicKey), false);
    assert.equal(verify("text", signature, junk as string), false);
    assert.equal(verify("text", text, text), false);
  }));
});

Deno.test("keys of small order are no public keys and verify nothing", () => {
  // With the identity as key, any R and S with R = S*B would pass for every message.
  const forged = "01" + "00".repeat(31) + "00".repeat(32);
  for (const key of ED25519_TORSION_SUBGROUP) {
    assert.equal(isPublicKey(key), false, key);
    assert.equal(verify("text", forged, key), false, key);
  }
});

Deno.test("a public key is 64 lower-case hex characters", () => {
  const { publicKey } = keyPairFromSeed(new Uint8Array(32).fill(1));
  assert.ok(isPublicKey(publicKey));
  for (const value of [publicKey.toUpperCase(), publicKey + "0", publicKey + "\n", "", null, 1]) {
    assert.equal(isPublicKey(value), false);
  }
});

Deno.test("a secret key whose halves do not belong together signs nothing", () => {
  const other = generateKeyPair();
  const { publicKey, secretKey } = generateKeyPair();
  assert.equal(publicKeyOf(secretKey), publicKey);
  assert.throws(() => sign("text", secretKey.slice(0, 64) + other.publicKey), TypeError);
  assert.throws(() => sign("text", secretKey.slice(0, 64)), TypeError);
  assert.throws(() => keyPairFromSeed(new Uint8Array(31)), TypeError);
});
