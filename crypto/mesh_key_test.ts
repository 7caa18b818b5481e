/** Tests of sealed mesh keys and of the proof of a rotation. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { fromBase64, fromHex, toBase64, toHex } from "./bytes.ts";
import {
  checkRotationProof,
  makeRotationProof,
  newEpochKey,
  openSealedKey,
  type Rotation,
  type RotationProof,
  sealKeyFor,
} from "./mesh_key.ts";
import { generateKeyPair } from "./sign.ts";

await sodium.ready;

const admin = generateKeyPair();
const member = generateKeyPair();
const rotation: Rotation = {
  meshId: "mesh_1",
  epoch: 2,
  newKey: newEpochKey(),
  previousKey: newEpochKey(),
};
const first: Rotation = { ...rotation, epoch: 1, previousKey: null };

Deno.test("a sealed key opens for its member and for nobody else", () => {
  const key = newEpochKey();
  const sealed = sealKeyFor(member.publicKey, key);
  assert.deepEqual(openSealedKey(member.secretKey, sealed), key);
  assert.equal(openSealedKey(admin.secretKey, sealed), null);
});

Deno.test("libsodium opens our sealed keys and we open its sealed keys", () => {
  const publicKey = sodium.crypto_sign_ed25519_pk_to_curve25519(fromHex(member.publicKey));
  const secretKey = sodium.crypto_sign_ed25519_sk_to_curve25519(fromHex(member.secretKey));
  const key = newEpochKey();
  const ours = fromBase64(sealKeyFor(member.publicKey, key));
  assert.equal(toHex(sodium.crypto_box_seal_open(ours, publicKey, secretKey)), toHex(key));
  const theirs = toBase64(sodium.crypto_box_seal(key, publicKey));
  assert.deepEqual(openSealedKey(member.secretKey, theirs), key);
});

Deno.test("a rotation is believed with its own proof only", () => {
  const proof = makeRotationProof(rotation, admin.secretKey);
  assert.equal(proof.by, admin.publicKey);
  assert.ok(checkRotationProof(rotation, proof));
  const others: Partial<Rotation>[] = [
    { meshId: "mesh_2" },
    { epoch: 3 },
    { newKey: newEpochKey() },
    { previousKey: newEpochKey() },
    { previousKey: null },
  ];
  for (const other of others) assert.ok(!checkRotationProof({ ...rotation, ...other }, proof));
});

Deno.test("a broker that knows no previous key cannot plant an epoch", () => {
  // It may hold a member key of its own, or replay an admin's signature without the MAC.
  const planted = makeRotationProof(
    { ...rotation, previousKey: newEpochKey() },
    member.secretKey,
  );
  assert.ok(!checkRotationProof(rotation, planted));
  const withoutMac = { ...makeRotationProof(rotation, admin.secretKey), mac: null };
  assert.ok(!checkRotationProof(rotation, withoutMac));
});

Deno.test("a member cannot put another's name on a rotation", () => {
  const proof = { ...makeRotationProof(rotation, member.secretKey), by: admin.publicKey };
  assert.ok(!checkRotationProof(rotation, proof));
});

Deno.test("the first epoch has no MAC and is believed without one only", () => {
  const proof = makeRotationProof(first, admin.secretKey);
  assert.equal(proof.mac, null);
  assert.ok(checkRotationProof(first, proof));
  assert.ok(!checkRotationProof(first, { ...proof, mac: "00".repeat(32) }));
  assert.ok(!checkRotationProof({ ...first, previousKey: newEpochKey() }, proof));
});

Deno.test("junk in a proof or a sealed key is refused and never throws", () => {
  const proof = makeRotationProof(rotation, admin.secretKey);
  fc.assert(fc.property(fc.anything(), fc.constantFrom(...Object.keys(proof)), (junk, field) => {
    fc.pre(junk !== proof[field as keyof RotationProof]);
    assert.ok(!checkRotationProof(rotation, { ...proof, [field]: junk } as RotationProof));
  }));
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String()), (junk) => {
    assert.equal(openSealedKey(member.secretKey, junk), null);
  }));
});

Deno.test("a malformed rotation is not vouched for", () => {
  const changes: Partial<Rotation>[] = [
    { meshId: "a|b" },
    { meshId: "" },
    { epoch: -1 },
    { epoch: 0.5 },
    { newKey: new Uint8Array(31) },
    { previousKey: new Uint8Array(33) },
  ];
  for (const change of changes) {
    const bad = { ...rotation, ...change };
    assert.throws(() => makeRotationProof(bad, admin.secretKey), TypeError);
  }
});
