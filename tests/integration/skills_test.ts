/** Skills: who may share, change and remove them, their versions, and who hears of it. */
import assert from "node:assert/strict";
import type { ListedSkill, Skill } from "../../broker/api/skills.ts";
import { brokerTest } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

const REVIEW = {
  name: "review",
  description: "Review a diff for risky changes.",
  instructions: "Look at the diff against main.\n",
};

async function share(peer: TestPeer, more: object = {}): Promise<Frame> {
  const answer = await peer.request("share_skill", { ...REVIEW, ...more });
  assert.equal(answer.type, "skill_ack", JSON.stringify(answer));
  return answer;
}

async function get(peer: TestPeer, name: string, version?: number): Promise<Skill | null> {
  return (await peer.request("get_skill", { name, version })).skill as Skill | null;
}

async function list(peer: TestPeer, query?: string): Promise<ListedSkill[]> {
  return (await peer.request("list_skills", { query })).skills as ListedSkill[];
}

brokerTest(
  "what one member shares, others read after a restart, and other meshes do not",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [stranger] = await broker.mesh("Stranger");
    const author = await broker.join(ada!);
    const shared = await share(author, {
      tags: ["git"],
      when_to_use: "Before a merge.",
      allowed_tools: ["Read"],
      manifest: { when_to_use: "Never.", argument_hint: "[branch]", user_invocable: false },
    });
    assert.deepEqual([shared.name, shared.action, shared.version], ["review", "shared", 1]);
    await broker.restart();
    const reader = await broker.join(bob!);
    const { createdAt, sharedAt, versions, ...skill } = (await get(reader, "REVIEW"))!;
    assert.deepEqual(skill, {
      ...REVIEW,
      tags: ["git"],
      author: "Ada",
      memberId: ada!.id,
      manifest: {
        when_to_use: "Before a merge.",
        allowed_tools: ["Read"],
        user_invocable: false,
        argument_hint: "[branch]",
      },
      version: 1,
      sharedBy: "Ada",
    });
    assert.deepEqual(versions, [{ version: 1, author: "Ada", createdAt: sharedAt }]);
    assert.deepEqual(await list(reader), [{
      name: "review",
      description: REVIEW.description,
      tags: ["git"],
      author: "Ada",
      createdAt,
      version: 1,
      updatedAt: sharedAt,
      userInvocable: false,
      argumentHint: "[branch]",
    }]);
    const outside = await broker.join(stranger!);
    assert.equal(await get(outside, "review"), null);
    assert.deepEqual(await list(outside), []);
    assert.equal((await outside.request("remove_skill", { name: "review" })).action, "not_found");
    await share(outside, { description: "Mine." });
    assert.equal((await get(reader, "review"))?.description, REVIEW.description);
  },
);

brokerTest(
  "everybody in the mesh hears of a version and of an end, its author's sessions too",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [author, reader] = [await broker.join(ada!), await broker.join(bob!)];
    const by = { name: "review", by: "Ada", memberId: ada!.id, memberPubkey: ada!.keys.publicKey };
    await share(author);
    await share(author);
    await author.request("remove_skill", { name: "Review" });
    await author.request("remove_skill", { name: "review" });
    for (const peer of [author, reader]) {
      assert.deepEqual(await peer.nextEvent("skill_published"), { ...by, version: 1 });
      assert.deepEqual(await peer.nextEvent("skill_published"), { ...by, version: 2 });
      assert.deepEqual(await peer.nextEvent("skill_removed"), by);
      await peer.settled();
      assert.equal(peer.frames.filter(({ event }) => String(event).startsWith("skill_")).length, 0);
    }
  },
);

brokerTest(
  "only its author, owners and admins share another version of a skill or remove it",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", { name: "Bob", role: "admin" }, "Cyd");
    const [owner, admin, member] = [
      await broker.join(ada!),
      await broker.join(bob!),
      await broker.join(cyd!),
    ];
    await share(owner);
    const taken = await member.request("share_skill", { ...REVIEW, name: "Review" });
    assert.equal(taken.code, "forbidden");
    assert.equal((await member.request("remove_skill", { name: "review" })).code, "forbidden");
    await share(member, { name: "mine" });
    assert.equal((await share(admin, { name: "mine", instructions: "Better." })).version, 2);
    const skill = await get(owner, "mine");
    assert.deepEqual([skill?.author, skill?.sharedBy], ["Cyd", "Bob"]);
    assert.equal((await share(member, { name: "mine" })).version, 3, "it is still its author's");
    assert.equal((await admin.request("remove_skill", { name: "mine" })).action, "removed");
    assert.deepEqual((await list(owner)).map(({ name }) => name), ["review"]);
    const audits = await broker.sql.query<{ event_type: string; payload: object }>(
      "select event_type, payload from mesh.audit_log order by id",
    );
    const { length: characters } = REVIEW.instructions;
    assert.deepEqual(audits.map(({ event_type: event, payload }) => [event, payload]), [
      ["skill_shared", { name: "review", version: 1, characters }],
      ["skill_shared", { name: "mine", version: 1, characters }],
      ["skill_shared", { name: "mine", version: 2, characters: 7 }],
      ["skill_shared", { name: "mine", version: 3, characters }],
      ["skill_removed", { name: "mine", version: 3 }],
    ]);
  },
);

brokerTest("the newest versions are kept, and each of them can be read", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (let version = 1; version <= 5; version++) {
    await share(peer, { instructions: `Text ${version}` });
  }
  const skill = await get(peer, "review");
  assert.deepEqual([skill?.version, skill?.instructions], [5, "Text 5"]);
  assert.deepEqual(skill?.versions.map(({ version }) => version), [5, 4, 3]);
  assert.equal((await get(peer, "review", 3))?.instructions, "Text 3");
  for (const version of [2, 6]) assert.equal(await get(peer, "review", version), null);
}, { limits: { skillVersions: 3 } });

brokerTest("skills are found by a part of their name, description or tags", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await share(peer, { name: "Zeta", description: "About 100% of it." });
  await share(peer, { name: "alpha", tags: ["Frontend"] });
  const FOUND: readonly (readonly [string, readonly string[]])[] = [
    ["", ["alpha", "Zeta"]],
    [" zet ", ["Zeta"]],
    ["FRONT", ["alpha"]],
    ["risky", ["alpha"]],
    ["0%", ["Zeta"]],
    ["%", ["Zeta"]],
    ["_", []],
  ];
  for (const [query, names] of FOUND) {
    assert.deepEqual((await list(peer, query)).map(({ name }) => name), names, query);
  }
});

brokerTest(
  "front matter in the instructions is understood, and what is said beside it counts more",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const front = [
      "---",
      "name: other",
      "description: Another one.",
      'tags: [a, "b"]',
      "allowed-tools: Read, Bash(git diff:*)",
      "context: fork",
      "model: opus",
      "agent: planner",
      "unknown: {a: 1}",
      "---",
      "",
      "Do it.",
    ];
    await share(peer, { instructions: front.join("\n"), model: "haiku" });
    const skill = await get(peer, "review");
    assert.deepEqual(skill?.manifest, {
      allowed_tools: ["Read", "Bash(git diff:*)"],
      model: "haiku",
      context: "fork",
      agent: "planner",
    });
    assert.deepEqual(
      [skill?.name, skill?.description, skill?.tags, skill?.instructions],
      ["review", REVIEW.description, ["a", "b"], "Do it."],
    );
    const empty = await peer.request("share_skill", {
      ...REVIEW,
      instructions: "---\na: b\n---\n",
    });
    assert.deepEqual([empty.code, empty.field], ["invalid_argument", "instructions"]);
    const long = `---\nagent: ${"x".repeat(600)}\n---\nDo it.`;
    const wrong = await peer.request("share_skill", { ...REVIEW, instructions: long });
    assert.deepEqual([wrong.code, wrong.field], ["invalid_argument", "agent"]);
  },
);

brokerTest("a description is one line of what can be seen", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const description = "Looks\nharmless\u001b[31m\u202e\u200b ---\r\n name: evil";
  await share(peer, { description, tags: ["a\tb", "\u0007"], model: "x\ny" });
  const skill = await get(peer, "review");
  assert.equal(skill?.description, "Looks harmless [31m --- name: evil");
  assert.deepEqual([skill?.tags, skill?.manifest.model], [["a b"], "x y"]);
  const nothing = await peer.request("share_skill", { ...REVIEW, description: "\u200b\n" });
  assert.deepEqual([nothing.code, nothing.field], ["invalid_argument", "description"]);
});

brokerTest(
  "a skill and a mesh are good at their limits and refused one past them",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const full = "é".repeat(50);
    await share(peer, { instructions: full });
    const large = await peer.request("share_skill", { ...REVIEW, instructions: `${full}x` });
    assert.deepEqual([large.code, large.limit], ["too_large", 100]);
    await share(peer, { name: "second" });
    const third = await peer.request("share_skill", { ...REVIEW, name: "third" });
    assert.deepEqual([third.code, third.limit], ["limit", 2]);
    assert.equal((await share(peer)).version, 2, "a version is no skill of its own");
    for (const name of ["", "a b", "-a", "a/b", "x".repeat(65), "ü", "a:b"]) {
      const refused = await peer.request("share_skill", { ...REVIEW, name });
      assert.equal(refused.code, "invalid_argument", name);
    }
  },
  { limits: { skillBytes: 100, skillsPerMesh: 2 } },
);
