/** Tests of how verbs find the member that is meant. */
import assert from "node:assert/strict";
import { listedMember } from "../../tests/support/listed_member.ts";
import { findMember } from "./people.ts";

const members = [
  listedMember("Ada", "a".repeat(64)),
  listedMember("Bob", "b".repeat(64)),
  listedMember("bob", "c".repeat(64)),
];

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
