/** Tests of invite version 1: what is read, and the reason for each refusal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { toBase64Url, utf8Encode } from "./bytes.ts";
import { encodeInviteV1, type InviteV1, parseInviteV1, signInviteV1 } from "./invite_v1.ts";
import { generateKeyPair } from "./sign.ts";

const NOW = 1_767_225_600_000;
const owner = generateKeyPair();
const fields = {
  meshId: "mesh_1",
  meshSlug: "demo",
  brokerUrl: "wss://broker.example/ws",
  expiresAtUnixS: NOW / 1000 + 1,
  meshRootKey: toBase64Url(new Uint8Array(32).fill(9)),
  role: "member" as const,
};
const invite = signInviteV1(fields, owner.secretKey);

function reasonOf(changed: Record<string, unknown>, nowMs: number = NOW): string {
  const result = parseInviteV1(encodeInviteV1({ ...invite, ...changed } as InviteV1), nowMs);
  return result.ok ? "ok" : result.reason;
}

Deno.test("a signed invite is read back with every field", () => {
  const result = parseInviteV1(encodeInviteV1(invite), NOW);
  assert.deepEqual(result, { ok: true, invite });
});

Deno.test("an invite lasts until its second and no longer", () => {
  assert.equal(reasonOf({}, NOW + 999), "ok");
  assert.equal(reasonOf({}, NOW + 1000), "expired");
});

Deno.test("an invite is refused for its shape first, then its age, then its signature", () => {
  const forged = { role: "admin", expiresAtUnixS: 1 };
  assert.equal(reasonOf({ ...forged, signature: "00" }), "malformed");
  assert.equal(reasonOf(forged), "expired");
  assert.equal(reasonOf({ role: "admin" }), "bad_signature");
  assert.equal(reasonOf({ ownerPubkey: generateKeyPair().publicKey }), "bad_signature");
});

Deno.test("a field of the wrong shape is malformed", () => {
  const changes = [
    { meshId: "" },
    { meshSlug: "a|b" },
    { brokerUrl: 5 },
    { expiresAtUnixS: "1" },
    { expiresAtUnixS: 1.5 },
    { meshRootKey: "AAAA" },
    { role: "owner" },
    { ownerPubkey: "junk" },
  ];
  for (const change of changes) assert.equal(reasonOf(change), "malformed", JSON.stringify(change));
  const later = toBase64Url(utf8Encode(JSON.stringify({ v: 2 })));
  assert.deepEqual(parseInviteV1(later, NOW), { ok: false, reason: "malformed" });
});

Deno.test("junk is malformed and never throws", () => {
  const junk = fc.oneof(fc.string(), fc.json().map((json) => toBase64Url(utf8Encode(json))));
  fc.assert(fc.property(junk, (token) => {
    assert.deepEqual(parseInviteV1(token, NOW), { ok: false, reason: "malformed" });
  }));
  assert.ok(!parseInviteV1("A".repeat(4097), NOW).ok);
});

Deno.test("a malformed invite is not signed", () => {
  const bad = { ...fields, meshSlug: "a|b" };
  assert.throws(() => signInviteV1(bad, owner.secretKey), TypeError);
});
