/**
 * Tests of hello, attestation and session hello: what is accepted, and the code of each refusal.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Attestation,
  ATTESTATION_MAX_MS,
  attestationText,
  checkAttestation,
  checkHello,
  checkSessionHello,
  makeAttestation,
  sessionHelloText,
  signHello,
  signSessionHello,
} from "./hello_proof.ts";
import { generateKeyPair, keyPairFromSeed, sign } from "./sign.ts";

const NOW = 1_767_225_600_000;
const member = keyPairFromSeed(new Uint8Array(32).fill(1));
const session = keyPairFromSeed(new Uint8Array(32).fill(4));
const stranger = generateKeyPair();

const helloFields = { meshId: "mesh_1", memberId: "member_1", timestamp: NOW };
const hello = {
  ...helloFields,
  pubkey: member.publicKey,
  signature: signHello(helloFields, member.secretKey),
};

const context = {
  meshId: "mesh_1",
  parentMemberPubkey: member.publicKey,
  sessionPubkey: session.publicKey,
};
const REQUIRED = { requireMeshSignature: true };
const OPTIONAL = { requireMeshSignature: false };

function attest(expiresAt: number): Attestation {
  const fields = { meshId: "mesh_1", sessionPubkey: session.publicKey, expiresAt };
  return makeAttestation(fields, member.secretKey);
}

Deno.test("a hello is good for exactly sixty seconds either way", () => {
  for (const offset of [0, 60_000, -60_000]) assert.equal(checkHello(hello, NOW + offset), null);
  for (const offset of [60_001, -60_001]) {
    assert.equal(checkHello(hello, NOW + offset), "timestamp_skew");
  }
  assert.equal(checkHello({ ...hello, timestamp: NaN }, NOW), "timestamp_skew");
});

Deno.test("a hello is refused for the time first, then the shape, then the signature", () => {
  const junk = { ...hello, pubkey: "junk", signature: "junk" };
  assert.equal(checkHello(junk, NOW + 70_000), "timestamp_skew");
  assert.equal(checkHello(junk, NOW), "malformed");
  assert.equal(checkHello({ ...hello, signature: "00" }, NOW), "malformed");
  assert.equal(checkHello({ ...hello, meshId: "mesh|1" }, NOW), "malformed");
  assert.equal(checkHello({ ...hello, meshId: "mesh_2" }, NOW), "bad_signature");
  assert.equal(checkHello({ ...hello, memberId: "member_2" }, NOW), "bad_signature");
  assert.equal(checkHello({ ...hello, timestamp: NOW + 1 }, NOW), "bad_signature");
  assert.equal(checkHello({ ...hello, pubkey: stranger.publicKey }, NOW), "bad_signature");
});

Deno.test("a hello may write its public key in upper case, and signs it as written", () => {
  const pubkey = member.publicKey.toUpperCase();
  const signature = sign(`mesh_1|member_1|${pubkey}|${NOW}`, member.secretKey);
  assert.equal(checkHello({ ...hello, pubkey, signature }, NOW), null);
  assert.equal(checkHello({ ...hello, pubkey }, NOW), "bad_signature");
});

Deno.test("an id with the separator in it is not signed", () => {
  for (const id of ["a|b", ""]) {
    assert.throws(() => signHello({ ...helloFields, meshId: id }, member.secretKey), TypeError);
    assert.throws(() => signHello({ ...helloFields, memberId: id }, member.secretKey), TypeError);
    const fields = { meshId: id, sessionPubkey: session.publicKey, expiresAt: NOW };
    assert.throws(() => makeAttestation(fields, member.secretKey), TypeError);
  }
});

Deno.test("an attestation is good until it expires, and for at most a day", () => {
  const attestation = attest(NOW + ATTESTATION_MAX_MS);
  assert.equal(checkAttestation(attestation, context, NOW, REQUIRED), null);
  assert.equal(checkAttestation(attestation, context, NOW - 1, REQUIRED), "ttl_too_long");
  const last = NOW + ATTESTATION_MAX_MS - 1;
  assert.equal(checkAttestation(attestation, context, last, REQUIRED), null);
  assert.equal(checkAttestation(attestation, context, last + 1, REQUIRED), "expired");
});

Deno.test("an attestation for other keys than the frame's is a mismatch", () => {
  const attestation = attest(NOW + 1000);
  for (const field of ["parentMemberPubkey", "sessionPubkey"] as const) {
    const other = { ...context, [field]: stranger.publicKey };
    assert.equal(checkAttestation(attestation, other, NOW, REQUIRED), "attestation_mismatch");
  }
});

Deno.test("an attestation made for one mesh is refused in another", () => {
  const other = { ...context, meshId: "mesh_2" };
  assert.equal(checkAttestation(attest(NOW + 1000), other, NOW, REQUIRED), "bad_signature");
  assert.equal(checkAttestation(attest(NOW + 1000), other, NOW, OPTIONAL), "bad_signature");
});

Deno.test("an attestation without a mesh passes only where none is required", () => {
  const { meshSignature: _, ...old } = attest(NOW + 1000);
  assert.equal(checkAttestation(old, context, NOW, OPTIONAL), null);
  assert.equal(checkAttestation(old, context, NOW, REQUIRED), "malformed");
});

Deno.test("a changed or foreign attestation is refused", () => {
  const attestation = attest(NOW + 1000);
  const longer = { ...attestation, expiresAt: NOW + 2000 };
  assert.equal(checkAttestation(longer, context, NOW, REQUIRED), "bad_signature");
  const forged = { ...attestation, signature: sign(attestationText(longer), stranger.secretKey) };
  assert.equal(checkAttestation(forged, context, NOW, OPTIONAL), "bad_signature");
  for (const change of [{ signature: "00" }, { meshSignature: "" }, { expiresAt: NOW + 0.5 }]) {
    const changed = { ...attestation, ...change };
    assert.equal(checkAttestation(changed, context, NOW, OPTIONAL), "malformed");
  }
});

Deno.test("the signature of a hello in a mesh with a crafted id attests nothing", () => {
  const crafted = { meshId: "claudemesh-session-attest", memberId: member.publicKey };
  const expiresAt = NOW + 1000;
  const signature = signHello({ ...crafted, timestamp: expiresAt }, member.secretKey);
  const sessionPubkey = member.publicKey;
  const attestation = { sessionPubkey, parentMemberPubkey: member.publicKey, expiresAt, signature };
  const sameKeys = { ...context, sessionPubkey };
  assert.equal(checkAttestation(attestation, sameKeys, NOW, OPTIONAL), "malformed");
});

Deno.test("a session hello is proved by the session key for its mesh, member and time", () => {
  const fields = { meshId: "mesh_1", parentMemberPubkey: member.publicKey, timestamp: NOW };
  const signature = signSessionHello(fields, session.secretKey);
  const good = { ...fields, sessionPubkey: session.publicKey, signature };
  assert.equal(checkSessionHello(good, NOW), null);
  assert.equal(checkSessionHello(good, NOW + 60_001), "timestamp_skew");
  assert.equal(checkSessionHello({ ...good, meshId: "mesh_2" }, NOW), "bad_signature");
  assert.equal(checkSessionHello({ ...good, sessionPubkey: "AB" }, NOW), "malformed");
  const byMember = sign(sessionHelloText(good), member.secretKey);
  assert.equal(checkSessionHello({ ...good, signature: byMember }, NOW), "bad_signature");
});

Deno.test("junk in any field is refused and never throws", () => {
  fc.assert(fc.property(fc.anything(), fc.constantFrom(...Object.keys(hello)), (junk, field) => {
    const changed = { ...hello, [field]: junk } as typeof hello;
    fc.pre(junk !== hello[field as keyof typeof hello]);
    assert.notEqual(checkHello(changed, NOW), null);
  }));
  const good = attest(NOW + 1000);
  fc.assert(fc.property(fc.anything(), fc.constantFrom(...Object.keys(good)), (junk, field) => {
    const changed = { ...good, [field]: junk } as Attestation;
    assert.notEqual(checkAttestation(changed, context, NOW, REQUIRED), null);
  }));
});
