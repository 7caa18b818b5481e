/** What a host and a model are shown of a skill, whatever its author and the broker have put into it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { readSkillDocument } from "../broker/api/skill_document.ts";
import type { Skill } from "../broker/api/skills.ts";
import { skillArguments, skillMarkdown, skillMessage, skillSummary } from "./skill_text.ts";

const AT = "2026-11-21T10:00:00.000Z";

function skill(more: Partial<Skill> = {}): Skill {
  return {
    name: "review",
    description: "Review a diff.",
    instructions: "Look at it.",
    tags: ["git"],
    author: "Ada",
    memberId: "member1",
    manifest: {},
    createdAt: AT,
    version: 3,
    sharedBy: "Ada",
    sharedAt: AT,
    versions: [],
    ...more,
  };
}

Deno.test("the resource of a skill is its file, with where it is from", () => {
  const manifest = { allowed_tools: ["Read", "Grep"], user_invocable: true, model: "opus" };
  assert.equal(
    skillMarkdown(skill({ manifest }), "team"),
    `---
name: "review"
description: "Review a diff."
tags: ["git"]
allowed-tools: ["Read", "Grep"]
model: "opus"
user-invocable: true
author: "Ada"
mesh: "team"
version: 3
---

Look at it.`,
  );
});

Deno.test("the message of a prompt has the manifest and the instructions, no name and no tags", () => {
  assert.equal(
    skillMessage(skill({ manifest: { when_to_use: "Before a merge." } }), "team", []),
    `---
description: "Review a diff."
when_to_use: "Before a merge."
author: "Ada"
mesh: "team"
version: 3
---

Look at it.`,
  );
});

Deno.test("a skill for a sub-agent says so before its instructions, with the type, model and tools", () => {
  const manifest = {
    context: "fork" as const,
    agent: "planner",
    model: "opus",
    allowed_tools: ["Read"],
  };
  const { body } = readSkillDocument(skillMessage(skill({ manifest }), "team", []));
  assert.match(
    body,
    /^Do not follow .*sub-agent of the type "planner", with the model "opus", that needs the tools \["Read"\].*\n\nLook at it\.$/,
  );
  const inline = skillMessage(skill({ manifest: { context: "inline" } }), "team", []);
  assert.doesNotMatch(inline, /sub-agent/);
});

Deno.test("what the user wrote behind the command is put in its place, or at the end", () => {
  const instructions = "Fix $ARGUMENTS, then $ARGUMENTS again.";
  const message = skillMessage(skill({ instructions }), "team", ["$& 12", "now"]);
  assert.match(message, /\nFix \$& 12 now, then \$& 12 now again\.$/);
  assert.match(
    skillMessage(skill(), "team", ["12", "now"]),
    /\nLook at it\.\n\nArguments: 12 now$/,
  );
});

Deno.test("the words of the hint are the arguments", () => {
  const names = (hint?: string) => skillArguments(hint).map(({ name }) => name);
  assert.deepEqual(names("[issue-number] <priority>"), ["issue-number", "priority"]);
  assert.deepEqual(names("file file, more..."), ["file", "more"]);
  for (const hint of [undefined, "", "[] ..."]) assert.deepEqual(names(hint), []);
  assert.equal(names("a b c d e f g h i j").length, 8);
});

const nasty = fc.string({
  unit: fc.constantFrom(..."ab \n\r\"'\\:#-\u0085\u2028\u0000\u001b\u202e\u200bé"),
  maxLength: 60,
});

Deno.test("no text of a peer adds a field, hides anything or makes a line in a list", () => {
  const plain = readSkillDocument(skillMarkdown(skill(), "team"));
  fc.assert(fc.property(nasty, nasty, nasty, (description, author, tag) => {
    const evil = skill({ description, author, tags: [tag], instructions: `x${description}` });
    const { fields, body } = readSkillDocument(skillMarkdown(evil, "team"));
    assert.deepEqual([...fields.keys()], [...plain.fields.keys()]);
    const listed = { ...evil, updatedAt: AT, userInvocable: true };
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    const unseen = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202a-\u202e]/;
    for (const text of [skillSummary(listed, "team"), body, ...fields.values()]) {
      assert.doesNotMatch(String(text), unseen);
    }
    assert.doesNotMatch(skillSummary(listed, "team"), /\n/);
  }));
});
