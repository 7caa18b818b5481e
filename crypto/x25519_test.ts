/** Tests of X25519 keys and shared keys, with libsodium as second opinion. */
import assert from "node:assert/strict";
import { ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { fromHex, toHex } from "./bytes.ts";
import { generateKeyPair, keyPairFromSeed } from "./sign.ts";
import {
  deriveBoxKey,
  generateX25519,
  sharedBoxKey,
  toX25519PublicKey,
  toX25519SecretKey,
  x25519PublicKeyOrNull,
} from "./x25519.ts";

await sodium.ready;

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });

Deno.test("converted keys are those of libsodium", () => {
  fc.assert(
    fc.property(seed, (seed) => {
      const { publicKey, secretKey } = keyPairFromSeed(seed);
      const publicX = sodium.crypto_sign_ed25519_pk_to_curve25519(fromHex(publicKey));
      const secretX = sodium.crypto_sign_ed25519_sk_to_curve25519(fromHex(secretKey));
      assert.equal(toHex(toX25519PublicKey(publicKey)), toHex(publicX));
      assert.equal(toHex(toX25519SecretKey(secretKey)), toHex(secretX));
    }),
    { numRuns: 30 },
  );
});

Deno.test("shared keys are those of libsodium, cached or not, and both sides get the same", () => {
  for (let round = 0; round < 20; round++) {
    const ours = generateX25519();
    const theirs = sodium.crypto_box_keypair();
    const expected = toHex(sodium.crypto_box_beforenm(ours.publicKey, theirs.privateKey));
    assert.equal(toHex(deriveBoxKey(ours.secretKey, theirs.publicKey)!), expected);
    const cached = sharedBoxKey(ours.secretKey, theirs.publicKey);
    assert.equal(toHex(cached), expected);
    assert.equal(sharedBoxKey(ours.secretKey, theirs.publicKey), cached);
  }
});

Deno.test("a public key of small order gives no shared key", () => {
  const { secretKey } = generateX25519();
  const one = new Uint8Array(32);
  one[0] = 1;
  const order8 = fromHex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
  for (const point of [new Uint8Array(32), one, order8]) {
    assert.equal(deriveBoxKey(secretKey, point), null);
    assert.throws(() => sharedBoxKey(secretKey, point), TypeError);
  }
});

Deno.test("keys of the wrong length are refused", () => {
  const { publicKey, secretKey } = generateX25519();
  assert.equal(deriveBoxKey(secretKey, publicKey.subarray(1)), null);
  assert.throws(() => deriveBoxKey(secretKey.subarray(1), publicKey), TypeError);
  assert.throws(() => toX25519SecretKey("00"), TypeError);
});

Deno.test("what is no point of the main subgroup is not converted", () => {
  const point = ed25519.Point.fromBytes(fromHex(generateKeyPair().publicKey));
  const torsion = ed25519.Point.fromHex(ED25519_TORSION_SUBGROUP[1]!);
  const mixed = toHex(point.add(torsion).toBytes());
  const offCurve = "02" + "00".repeat(31);
  for (const key of [mixed, offCurve, ED25519_TORSION_SUBGROUP[1]!, "junk", ""]) {
    assert.equal(x25519PublicKeyOrNull(key), null, key);
    assert.throws(() => toX25519PublicKey(key), TypeError);
  }
});
