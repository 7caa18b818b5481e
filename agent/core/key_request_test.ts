/** Who waits for the mesh key and proved it, and who only seems to. */
import assert from "node:assert/strict";
import { claimText, makeClaim, newInviteSecret } from "../../crypto/invite_v2.ts";
import { newEpochKey } from "../../crypto/mesh_key.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { openInviteSecret, sealInviteSecret } from "./invite_secret.ts";
import { isProvenRequest, readClaimText } from "./key_request.ts";

const SECRET = newInviteSecret();
const JOINER = generateKeyPair();

function request(displayName = "Bob", secret: Uint8Array | null = SECRET) {
  const claim = makeClaim(
    { code: "Ab3dE6gH", displayName, timestamp: 5 },
    JOINER.secretKey,
    secret,
  );
  return {
    memberId: "member1",
    pubkey: JOINER.publicKey,
    displayName,
    inviteCode: "Ab3dE6gH",
    sealedSecret: "",
    secretEpoch: 1,
    claimText: claimText(claim),
    claimMac: claim.mac,
    requestedAt: "2026-11-21T10:00:00.000Z",
  };
}

Deno.test("a claim under the link's secret is proved, whatever the name holds", () => {
  for (const name of ["Bob", "a|b|c", "|", "Zoë |1"]) {
    assert.equal(isProvenRequest(request(name), SECRET), true, name);
  }
});

Deno.test("another key, code, secret, text or no MAC is not proved", () => {
  const good = request();
  assert.equal(isProvenRequest({ ...good, pubkey: generateKeyPair().publicKey }, SECRET), false);
  assert.equal(isProvenRequest({ ...good, inviteCode: "Other123" }, SECRET), false);
  assert.equal(isProvenRequest(good, newInviteSecret()), false);
  assert.equal(isProvenRequest(request("Bob", null), SECRET), false);
  assert.equal(
    isProvenRequest({ ...good, claimText: good.claimText.replace("Bob", "Eve") }, SECRET),
    false,
  );
  for (const text of ["", "x", "claimtext|v2", "claudemesh-claim|v2|a|b|c|d|e"]) {
    assert.equal(isProvenRequest({ ...good, claimText: text }, SECRET), false);
  }
});

Deno.test("the text of a claim is read back into its fields", () => {
  const fields = readClaimText(request("a|b").claimText);
  assert.equal(fields!.displayName, "a|b");
  assert.equal(fields!.timestamp, 5);
});

Deno.test("an invite's secret opens under the key that sealed it and no other", () => {
  const key = newEpochKey();
  const sealed = sealInviteSecret(SECRET, key);
  assert.deepEqual(openInviteSecret(sealed, key), SECRET);
  assert.equal(openInviteSecret(sealed, newEpochKey()), null);
  for (const junk of ["", "%", "AAAA"]) assert.equal(openInviteSecret(junk, key), null);
});
