/** Tests of whom a target means. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fakeMember, fakeMesh, fakeSession } from "../../tests/sim/fake_mesh.ts";
import { MeshError } from "../api/errors.ts";
import type { Member } from "./model.ts";
import { isInGroup, resolveTarget } from "./targets.ts";

function people() {
  const mesh = fakeMesh();
  const [ada, ben, cleo] = ["Ada", "Ben", "Cleo"].map((name, index) =>
    fakeMember(mesh, index + 1, name)
  ) as [Member, Member, Member];
  return { mesh, ada, ben, cleo };
}

function names(sender: Member, target: string): string[] {
  const { recipients } = resolveTarget(sender.mesh, sender, target);
  return recipients.map((member) => member.displayName);
}

function errorOf(sender: Member, target: string): MeshError {
  try {
    names(sender, target);
  } catch (error) {
    assert.ok(error instanceof MeshError);
    return error;
  }
  return assert.fail(`${target} was resolved`);
}

Deno.test("* and @all mean everybody but the sender, however many are away", () => {
  const { ada, ben } = people();
  assert.deepEqual(names(ada, "*"), ["Ben", "Cleo"]);
  assert.deepEqual(names(ben, "@ALL"), ["Ada", "Cleo"]);
});

Deno.test("those who left or were banned get nothing, those who were kicked do", () => {
  const { ada, ben, cleo } = people();
  ben.leftAtMs = 1;
  cleo.kickedAtMs = 1;
  assert.deepEqual(names(ada, "*"), ["Cleo"]);
  cleo.revokedAtMs = 1;
  assert.deepEqual(names(ada, "*"), []);
  assert.equal(errorOf(ada, ben.pubkey).code, "not_found");
  assert.equal(errorOf(ada, "cleo").code, "not_found");
});

Deno.test("a group reaches its subgroups, of sessions in any state and by default", () => {
  const { ada, ben, cleo } = people();
  fakeSession(ben, "s").groups = [{ name: "Ops/DB" }];
  ben.sessions.get("s")!.presence = "remembered";
  cleo.defaultGroups = [{ name: "ops", role: "lead" }];
  assert.deepEqual(names(ada, "@ops"), ["Ben", "Cleo"]);
  assert.deepEqual(names(ada, "@OPS/db"), ["Ben"]);
  assert.equal(errorOf(ada, "@op").code, "not_found");
  assert.equal(errorOf(ada, "@ops/db/backup").code, "not_found");
});

Deno.test("a group of the sender alone is known and reaches nobody", () => {
  const { ada } = people();
  ada.defaultGroups = [{ name: "mine" }];
  assert.deepEqual(names(ada, "@mine"), []);
});

Deno.test("a hostile group name is refused", () => {
  const { ada } = people();
  for (const target of ["@'); drop table mesh.member; --", "@", "@a//b", "@../x"]) {
    assert.equal(errorOf(ada, target).code, "invalid_argument");
  }
});

Deno.test("a member whose present sessions are all hidden is left out of what goes to many", () => {
  const { ada, ben } = people();
  const [one, two] = [fakeSession(ben, "one"), fakeSession(ben, "two")];
  one.visible = false;
  assert.deepEqual(names(ada, "*"), ["Ben", "Cleo"]);
  two.visible = false;
  assert.deepEqual(names(ada, "*"), ["Cleo"]);
  assert.deepEqual(names(ada, ben.pubkey), ["Ben"]);
  one.presence = two.presence = "remembered";
  assert.deepEqual(names(ada, "*"), ["Ben", "Cleo"]);
});

Deno.test("an agent's own connection does not show a member whose sessions are hidden", () => {
  const { ada, ben } = people();
  fakeSession(ben, "agent", "control-plane");
  fakeSession(ben, "one").visible = false;
  assert.deepEqual(names(ada, "*"), ["Cleo"]);
});

Deno.test("a member or session is found by key in either case, and by name", () => {
  const { ada, ben } = people();
  fakeSession(ben, "s1", "session", "c".repeat(64));
  for (const target of [ben.pubkey, ben.pubkey.toUpperCase(), "C".repeat(64), "BEN", "ben S1"]) {
    assert.deepEqual(names(ada, target), ["Ben"]);
  }
  assert.deepEqual(names(ben, "Ben"), ["Ben"], "oneself, too");
  for (const target of ["be", "d".repeat(64), "nobody"]) {
    assert.equal(errorOf(ada, target).code, "not_found");
  }
});

Deno.test("a name of two members is ambiguous and tells them apart", () => {
  const { ada, ben, cleo } = people();
  fakeSession(cleo, "s1").displayName = "ben";
  const { code, data } = errorOf(ada, "Ben");
  assert.equal(code, "ambiguous_target");
  assert.deepEqual(data.candidates, [
    `Ben (${ben.pubkey.slice(0, 12)})`,
    `Cleo (${cleo.pubkey.slice(0, 12)})`,
  ]);
});

Deno.test("a session that is gone gives its name to those present", () => {
  const { ada, ben, cleo } = people();
  const gone = fakeSession(ben, "x");
  gone.displayName = "worker";
  gone.presence = "remembered";
  assert.deepEqual(names(ada, "worker"), ["Ben"]);
  fakeSession(cleo, "y").displayName = "worker";
  assert.deepEqual(names(ada, "worker"), ["Cleo"]);
});

Deno.test("being in a group is being in it or below it, by whole parts", () => {
  const part = fc.constantFrom("a", "b", "ab", "a-b");
  const path = fc.array(part, { minLength: 1, maxLength: 4 });
  fc.assert(fc.property(path, path, (mine, wanted) => {
    const expected = wanted.every((name, index) => mine[index] === name);
    assert.equal(isInGroup([{ name: mine.join("/") }], wanted.join("/")), expected);
  }));
});
