/** Blocks that were not found would be commands that nobody tests. */
import assert from "node:assert/strict";
import { commandBlocks } from "./readme.ts";

const PAGE = [
  "# Page",
  "```sh test=setup home=ada",
  "claudemesh new team",
  "claudemesh invite",
  "```",
  "```json",
  '{ "not": "a command" }',
  "```",
  "```sh test=other",
  "true",
  "```",
  "```sh test=setup home=bob",
  "claudemesh join LINK",
  "```",
].join("\n");

Deno.test("blocks of one test come in order, with their attributes and lines", () => {
  assert.deepEqual(commandBlocks(PAGE, "setup"), [
    {
      line: 2,
      language: "sh",
      attributes: { test: "setup", home: "ada" },
      text: "claudemesh new team\nclaudemesh invite",
    },
    {
      line: 12,
      language: "sh",
      attributes: { test: "setup", home: "bob" },
      text: "claudemesh join LINK",
    },
  ]);
});

Deno.test("a test without blocks, or with an open fence, is refused", () => {
  assert.throws(() => commandBlocks(PAGE, "nothing"), /no block says test=nothing/);
  assert.throws(() => commandBlocks("```sh test=setup\ntrue", "setup"), /line 1: .* not closed/);
});
