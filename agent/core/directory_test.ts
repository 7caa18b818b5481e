/** Names: whom they stand for, when they stand for too many, and when a key has changed under one. */
import assert from "node:assert/strict";
import type { Peer } from "../../broker/api/presence.ts";
import { listedMember } from "../../tests/support/listed_member.ts";
import { Directory } from "./directory.ts";
import { LocalError } from "./local_error.ts";

const OWN = "0".repeat(64);
const ADA = "a".repeat(64);
const ADAM = "ab".repeat(32);
const BOB = "b1".repeat(32);
const SESSION = "c".repeat(64);

function session(displayName: string, pubkey: string, memberPubkey: string): Peer {
  return {
    pubkey,
    memberPubkey,
    memberId: "x",
    memberRole: "member",
    displayName,
    status: "idle",
    summary: null,
    groups: [],
    sessionId: displayName,
    connectedAt: "",
    online: true,
    peerRole: "session",
    visible: true,
  };
}

const MEMBERS = [
  listedMember("Me", OWN),
  listedMember("Ada", ADA),
  listedMember("Adam", ADAM),
  listedMember("Bob", BOB),
];

function withFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function filled(folder: string, peers: Peer[] = []): Directory {
  const directory = new Directory(folder, OWN);
  directory.update(MEMBERS, peers);
  return directory;
}

function refusal(directory: Directory, to: string): LocalError {
  try {
    directory.resolve(to);
  } catch (error) {
    assert.ok(error instanceof LocalError);
    return error;
  }
  throw new Error(`"${to}" was resolved`);
}

Deno.test("keys, exact names, first digits and unique parts of names stand for a member", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    for (const to of [ADA, ADA.toUpperCase(), "Ada", "ADA", " ada ", "aaaaaaaa"]) {
      assert.equal(directory.resolve(to).memberKey, ADA, to);
    }
    assert.equal(directory.resolve("bo").memberKey, BOB);
    assert.equal(directory.resolve("dam").memberKey, ADAM);
    assert.equal(directory.resolve("me").memberKey, OWN);
    assert.equal(directory.resolve("b1b1b1b1").memberKey, BOB);
  }));

Deno.test("groups and everyone stand for themselves, a bad group name for nothing", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    assert.deepEqual(directory.resolve("*").kind, "everyone");
    assert.deepEqual(directory.resolve("@All").target, "@all");
    assert.deepEqual(directory.resolve("@Eng/Api").target, "@Eng/Api");
    assert.equal(refusal(directory, "@').drop").code, "invalid_argument");
    assert.equal(refusal(directory, "@").code, "invalid_argument");
  }));

Deno.test("a name that could be several members is refused with all of them", () =>
  withFolder((folder) => {
    const error = refusal(filled(folder), "ad");
    assert.equal(error.code, "ambiguous_target");
    assert.equal(error.exit, 3);
    assert.deepEqual(error.candidates, ["Ada (aaaaaaaaaaaa)", "Adam (abababababab)"]);
  }));

Deno.test("an unknown name is refused with those that are known, short digits are no key", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    for (const to of ["Zoe", "", "aaaaaaa", "f".repeat(64)]) {
      const error = refusal(directory, to);
      assert.equal(error.code, "not_found", to);
      assert.equal(error.candidates!.length, 3);
    }
    assert.match(refusal(new Directory(`${folder}/none`, OWN), "Ada").hint!, /never been fetched/);
  }));

Deno.test("a session's own name or key stands for the session, several of one member for the member", () =>
  withFolder((folder) => {
    const other = "d".repeat(64);
    const one = filled(folder, [session("api work", SESSION, ADA)]);
    assert.deepEqual(one.resolve("API work"), {
      target: SESSION,
      kind: "session",
      memberKey: ADA,
      name: "api work",
    });
    assert.equal(one.resolve(SESSION).kind, "session");
    const two = filled(folder, [
      session("api work", SESSION, ADA),
      session("api work", other, ADA),
    ]);
    assert.equal(two.resolve("api work").target, ADA);
    const foreign = filled(folder, [session("x", SESSION, "9".repeat(64))]);
    assert.equal(refusal(foreign, "x").code, "not_found");
  }));

Deno.test("who joins, is renamed or leaves is known at once, without the whole list", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    const zoe = { memberId: "Zoe", name: "Zoe", pubkey: "d1".repeat(32) };
    directory.apply("member_added", { ...zoe, role: "member", proven: true });
    assert.equal(directory.resolve("Zoe").memberKey, zoe.pubkey);
    assert.equal(directory.member(zoe.pubkey)!.bodyVersion, 2);
    directory.apply("member_renamed", { ...zoe, name: "Zora" });
    assert.equal(directory.resolve("zora").memberKey, zoe.pubkey);
    directory.apply("member_added", { ...zoe, name: "Evil", pubkey: "e1".repeat(32) });
    assert.equal(refusal(directory, "Evil").code, "not_found");
    directory.apply("member_removed", { ...zoe, reason: "left" });
    assert.equal(refusal(directory, "Zora").code, "not_found");
    directory.apply("member_added", { name: 5 });
  }));

Deno.test("a member that read body version 2 once is not talked down to 1", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    const old = MEMBERS.map((each) => ({ ...each, bodyVersion: 1, proven: false }));
    directory.update(old, []);
    assert.equal(directory.member(ADA)!.bodyVersion, 2);
    const anew = new Directory(`${folder}/none`, OWN);
    anew.update(old, []);
    assert.equal(anew.member(ADA)!.bodyVersion, 1);
  }));

Deno.test("the cache outlives a restart, and one that cannot be read is begun anew", () =>
  withFolder((folder) => {
    filled(folder);
    assert.equal(new Directory(folder, OWN).resolve("Ada").memberKey, ADA);
    Deno.writeTextFileSync(`${folder}/directory.json`, "{");
    const anew = new Directory(folder, OWN);
    assert.equal(anew.isEmpty, true);
    anew.update(MEMBERS, []);
    assert.equal(anew.resolve("Ada").memberKey, ADA);
  }));

Deno.test("another key for the same member is not believed and told", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    directory.update([listedMember("Ada", "e".repeat(64))], []);
    assert.equal(refusal(directory, "Ada").code, "not_found");
    assert.match(directory.problems[0]!, /another key for Ada/);
    directory.update(MEMBERS, []);
    assert.deepEqual(directory.problems, []);
  }));

Deno.test("a name that was sent to and has another key now is refused until the key is named", () =>
  withFolder((folder) => {
    const directory = filled(folder);
    directory.resolve("Ada");
    const newKey = "e5".repeat(32);
    const again = new Directory(folder, OWN);
    again.update([listedMember("Ada", newKey, "another id")], []);
    const error = refusal(again, "ada");
    assert.equal(error.code, "key_changed");
    assert.match(error.message, /aaaaaaaaaaaa before, now the broker shows e5e5e5e5e5e5/);
    assert.equal(again.resolve("e5e5e5e5").memberKey, newKey);
    assert.equal(again.resolve("Ada").memberKey, newKey);
  }));
