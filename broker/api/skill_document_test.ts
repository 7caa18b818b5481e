/** Skills as files: what is written is read again, whatever it says, and nothing adds a field. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { commaList, readSkillDocument, writeSkillDocument } from "./skill_document.ts";

const FILE = `---
name: review-diff
description: >
  Review a diff
  for risky changes  
when_to_use: Before a merge: always   # a comment
allowed-tools: Read, Grep, Bash(git diff:*, git log:*)
tags: [review, "code, quality", 'it''s']
model: "opus \\"4\\" \\u00e9"
user-invocable: true
hooks:
  PreToolUse:
    - matcher: Bash
description-list:
- one
- "two"
nested: {a: 1}
notes: |
  first
    second

---

# Review

---
Not front matter any more: true
`;

Deno.test("the front matter of a skill file is read in every way people write it", () => {
  const { fields, body } = readSkillDocument(FILE);
  assert.deepEqual(Object.fromEntries(fields), {
    name: "review-diff",
    description: "Review a diff for risky changes",
    when_to_use: "Before a merge: always",
    allowed_tools: "Read, Grep, Bash(git diff:*, git log:*)",
    tags: ["review", "code, quality", "it's"],
    model: 'opus "4" é',
    user_invocable: true,
    description_list: ["one", "two"],
    notes: "first\n  second",
  });
  assert.equal(body, "# Review\n\n---\nNot front matter any more: true\n");
  assert.deepEqual(
    readSkillDocument(FILE.replaceAll("\n", "\r\n")).fields,
    fields,
    "line ends of another system",
  );
});

for (
  const text of ["", "# Plain", "---", "---\nname: x\nnever closed", "text\n---\nname: x\n---\n"]
) {
  Deno.test(`${JSON.stringify(text)} is all body`, () => {
    assert.deepEqual(readSkillDocument(text), { fields: new Map(), body: text });
  });
}

/** Texts with what could end a value, a line or the front matter. */
const nasty = fc.string({
  unit: fc.constantFrom(..."ab \n\r\t\"'\\:#-[]{},|>&*!%@`\u0085\u2028\u0000é😀"),
  maxLength: 40,
});

Deno.test("what is written is read again, field by field", () => {
  fc.assert(
    fc.property(nasty, fc.array(nasty, { minLength: 1 }), fc.boolean(), (text, list, flag) => {
      const items = list.filter((item) => item !== "");
      const written = writeSkillDocument({ text, list: items, flag, none: undefined }, "body");
      const { fields, body } = readSkillDocument(written);
      assert.equal(fields.get("text"), text);
      assert.deepEqual(fields.get("list") ?? [], items);
      assert.equal(fields.get("flag"), flag);
      assert.equal(fields.has("none"), false);
      assert.equal(body, "body");
    }),
  );
});

Deno.test("no value makes another line, and none is read as YAML's own syntax", () => {
  fc.assert(fc.property(nasty, nasty, (name, item) => {
    const written = writeSkillDocument({ name, list: [item] }, "");
    const lines = written.split(/[\n\r\u0085\u2028\u2029]/);
    assert.deepEqual([lines[0], lines[3], lines.length], ["---", "---", 6]);
    assert.match(lines[1] ?? "", /^name: "(?:[^"\\]|\\.)*"$/);
    assert.match(lines[2] ?? "", /^list: \["(?:[^"\\]|\\.)*"\]$/);
  }));
});

Deno.test("reading fails for no text, however long it is and whatever it repeats", () => {
  fc.assert(fc.property(fc.array(nasty), (parts) => {
    readSkillDocument(`---\n${parts.join(": ")}\n---\n`);
  }));
  for (const piece of ["[a,", "(", "'", '"', "- x\n", "a: [", "a:\n -", "\\", " #", "((,"]) {
    readSkillDocument(`---\na: ${piece.repeat(40_000)}\n---\n`);
    commaList(piece.repeat(40_000));
  }
});

Deno.test("a comma inside of parentheses separates nothing", () => {
  assert.deepEqual(commaList("Read, Bash(a:*, b) ,, Grep"), ["Read", "Bash(a:*, b)", "Grep"]);
});
