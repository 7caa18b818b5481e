/** Tests of how verbs find the member that is meant. */
import assert from "node:assert/strict";
import type { Member } from "../../broker/api/members.ts";
import { findMember } from "./people.ts";

function member(displayName: string, digit: string): Member {
  return {
    memberId: displayName,
    pubkey: digit.repeat(64),
    displayName,
    role: "member",
    joinedAt: "2026-11-21T10:00:00.000Z",
    lastSeenAt: null,
    online: false,
    sessions: 0,
    groups: [],
    bodyVersion: 2,
    hasMeshKey: true,
    proven: true,
  };
}

const members = [member("Ada", "a"), member("Bob", "b"), member("bob", "c")];

Deno.test("findMember() takes a name in any case, a key, or its first digits", () => {
  assert.equal(findMember(members, "ADA").pubkey, "a".repeat(64));
  assert.equal(findMember(members, "c".repeat(64)).displayName, "bob");
  assert.equal(findMember(members, "bbbbbbbb").displayName, "Bob");
});

Deno.test("findMember() refuses what fits nobody or several, and lists them", () => {
  assert.throws(() => findMember(members, "bob"), /Bob \(bbbbbbbbbbbb\), bob \(cccccccccccc\)/);
  assert.throws(() => findMember(members, "aaaaaaa"), { code: "not_found", exit: 5 });
  assert.throws(() => findMember(members, "Ad"), { code: "not_found" });
});
