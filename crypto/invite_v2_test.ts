/** Tests of invite version 2: the owner's signature, the joiner's claim, and the hand-over. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { toBase64Url, toHex, utf8Encode } from "./bytes.ts";
import {
  checkClaim,
  checkClaimMac,
  checkHandoverMac,
  type Claim,
  claimText,
  type Handover,
  handoverMac,
  makeClaim,
  newInviteSecret,
  signInviteV2,
  verifyInviteV2,
} from "./invite_v2.ts";
import { hkdfSha256 } from "./kdf.ts";
import { sealKeyFor } from "./mesh_key.ts";
import { generateKeyPair, sign } from "./sign.ts";
import { toX25519PublicKey } from "./x25519.ts";

await sodium.ready;

const NOW = 1_767_225_600_000;
const owner = generateKeyPair();
const joiner = generateKeyPair();
const mallory = generateKeyPair();
const secret = newInviteSecret();

const invite = {
  meshId: "mesh_1",
  inviteId: "invite_1",
  expiresAtUnixS: NOW / 1000,
  role: "member",
  ownerPubkey: owner.publicKey,
};
const claimFields = { code: "Ab3dEf9h", displayName: "Ada | laptop", timestamp: NOW };
const claim = makeClaim(claimFields, joiner.secretKey, secret);
const handover: Handover = {
  meshId: "mesh_1",
  ownerPubkey: owner.publicKey,
  joinerPubkey: joiner.publicKey,
  epoch: 3,
  sealedKey: sealKeyFor(joiner.publicKey, new Uint8Array(32)),
};

Deno.test("the owner's signature covers every field of an invite", () => {
  const signature = signInviteV2(invite, owner.secretKey);
  assert.ok(verifyInviteV2(invite, signature));
  const changes = [
    { meshId: "mesh_2" },
    { inviteId: "invite_2" },
    { expiresAtUnixS: invite.expiresAtUnixS + 1 },
    { role: "admin" },
    { ownerPubkey: mallory.publicKey },
  ];
  for (const change of changes) assert.ok(!verifyInviteV2({ ...invite, ...change }, signature));
});

Deno.test("only the owner signs an invite, and no field may hold the separator", () => {
  assert.throws(() => signInviteV2(invite, mallory.secretKey), TypeError);
  const shifted = { ...invite, meshId: "mesh_1|invite_1" };
  assert.throws(() => signInviteV2(shifted, owner.secretKey), TypeError);
  assert.ok(!verifyInviteV2(shifted, "00".repeat(64)));
});

Deno.test("a claim is good for its time window, with or without the secret", () => {
  assert.equal(checkClaim(claim, NOW + 60_000), null);
  assert.equal(checkClaim(claim, NOW - 60_001), "timestamp_skew");
  const unverified = makeClaim(claimFields, joiner.secretKey, null);
  assert.equal(checkClaim(unverified, NOW), null);
  assert.equal(unverified.mac, null);
  assert.ok(!checkClaimMac(unverified, secret));
});

Deno.test("a claim carries the conversion of its own Ed25519 key and nothing else", () => {
  assert.equal(claim.recipientX25519Pubkey, toBase64Url(toX25519PublicKey(joiner.publicKey)));
  const recipientX25519Pubkey = toBase64Url(toX25519PublicKey(mallory.publicKey));
  const swapped = { ...claim, recipientX25519Pubkey };
  const signature = sign(claimText(swapped), joiner.secretKey);
  assert.equal(checkClaim({ ...swapped, signature }, NOW), "malformed");
});

Deno.test("a change to a claim breaks its signature and its MAC", () => {
  const changes = [{ code: "Ab3dEf9i" }, { displayName: "Eve" }, { timestamp: NOW + 1 }];
  for (const change of changes) {
    assert.equal(checkClaim({ ...claim, ...change }, NOW), "bad_signature");
    assert.ok(!checkClaimMac({ ...claim, ...change }, secret));
  }
});

Deno.test("a broker that swaps the joiner's keys cannot make the MAC", () => {
  assert.ok(checkClaimMac(claim, secret));
  const swapped = makeClaim(claimFields, mallory.secretKey, newInviteSecret());
  assert.equal(checkClaim(swapped, NOW), null);
  assert.ok(!checkClaimMac(swapped, secret));
  assert.ok(!checkClaimMac({ ...swapped, mac: claim.mac }, secret));
});

Deno.test("a claim's MAC is HMAC-SHA-256 as libsodium computes it", () => {
  const key = hkdfSha256(secret, "claudemesh/invite/v2/claim", 32);
  const expected = sodium.crypto_auth_hmacsha256(utf8Encode(claimText(claim)), key);
  assert.equal(claim.mac, toHex(expected));
});

Deno.test("a hand-over is believed with its own fields, MAC and secret only", () => {
  const mac = handoverMac(handover, secret);
  assert.ok(checkHandoverMac(handover, mac, secret));
  assert.ok(!checkHandoverMac(handover, mac, newInviteSecret()));
  assert.ok(!checkHandoverMac(handover, claim.mac!, secret));
  const changes: Partial<Handover>[] = [
    { meshId: "mesh_2" },
    { ownerPubkey: mallory.publicKey },
    { joinerPubkey: mallory.publicKey },
    { epoch: 4 },
    { sealedKey: sealKeyFor(joiner.publicKey, new Uint8Array(32)) },
    { sealedKey: "junk" },
  ];
  for (const change of changes) {
    assert.ok(!checkHandoverMac({ ...handover, ...change }, mac, secret));
  }
  assert.throws(() => handoverMac({ ...handover, epoch: -1 }, secret), TypeError);
});

Deno.test("a secret of the wrong length makes and checks nothing", () => {
  const short = secret.subarray(1);
  assert.throws(() => makeClaim(claimFields, joiner.secretKey, short), TypeError);
  assert.throws(() => handoverMac(handover, short), TypeError);
});

Deno.test("a display name of 64 characters is claimed with and one of 65 is not", () => {
  const longest = { ...claimFields, displayName: "x".repeat(64) };
  assert.equal(checkClaim(makeClaim(longest, joiner.secretKey, null), NOW), null);
  for (const displayName of ["x".repeat(65), "", "\ud800"]) {
    const bad = { ...claimFields, displayName };
    assert.throws(() => makeClaim(bad, joiner.secretKey, null), TypeError);
  }
});

Deno.test("junk in any field of a claim is refused and never throws", () => {
  fc.assert(fc.property(fc.anything(), fc.constantFrom(...Object.keys(claim)), (junk, field) => {
    fc.pre(junk !== claim[field as keyof Claim]);
    const changed = { ...claim, [field]: junk } as Claim;
    if (field === "signature") assert.notEqual(checkClaim(changed, NOW), null);
    else if (field === "mac") assert.ok(!checkClaimMac(changed, secret));
    else assert.ok(checkClaim(changed, NOW) !== null && !checkClaimMac(changed, secret));
  }));
});
