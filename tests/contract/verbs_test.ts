/** Loops over every verb of the command line: help, names, examples, and what the parser makes of them. */
import assert from "node:assert/strict";
import { allVerbs, derivedVerbs, writtenVerbs } from "../../agent/verbs/catalog.ts";
import { buildProgram } from "../../agent/verbs/program.ts";
import type { Verb } from "../../agent/verbs/verb.ts";
import { ops } from "../../broker/api/catalog.ts";

const verbs = [...writtenVerbs, ...await derivedVerbs()];

/** Parses a command line as the program does, and returns what it would run. */
async function parse(words: readonly string[]) {
  let chosen: { verb: Verb; args: unknown; flags: Record<string, unknown> } | null = null;
  const program = buildProgram(verbs, "0.0.0", (verb, args, flags) => {
    chosen = { verb, args, flags };
    return Promise.resolve();
  });
  await program.parseAsync([...words], { from: "user" });
  return chosen as { verb: Verb; args: unknown; flags: Record<string, unknown> } | null;
}

/** Splits an example as a shell would, without what is piped into it. */
function wordsOf(example: string): string[] {
  const command = example.slice(example.indexOf("claudemesh ") + "claudemesh ".length)
    .replace(/ < \S+$/, "");
  return [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((match) =>
    match[1] ?? match[2] ?? match[3]!
  );
}

Deno.test("every verb has a path of its own, a summary and an example", () => {
  const paths = verbs.flatMap((verb) => [verb.path, ...verb.aliases ?? []]);
  assert.deepEqual(paths.length, new Set(paths).size, "two verbs share a name");
  for (const verb of verbs) {
    assert.ok(verb.summary.length > 0, verb.path);
    assert.ok(verb.examples.length > 0, verb.path);
    assert.ok(!verb.summary.endsWith("."), `the summary of "${verb.path}" ends with a full stop`);
  }
});

for (const verb of verbs) {
  for (const example of verb.examples) {
    Deno.test(`the example "${example}" is understood`, async () => {
      assert.ok(await parse(wordsOf(example)), "no verb was chosen");
    });
  }
}

Deno.test("every operation with a verb is reached by it", async () => {
  for (const op of ops.filter((each) => each.verb)) {
    const found = await parse(wordsOf(op.verb!.examples[0]!));
    assert.equal(found?.verb.path, op.verb!.path);
  }
});

Deno.test("allVerbs() makes derived verbs only where they can be meant", async () => {
  assert.equal((await allVerbs(["send", "Bob", "hi"])).length, writtenVerbs.length);
  assert.ok((await allVerbs(["status", "set", "dnd"])).some((verb) => verb.path === "status set"));
  assert.ok((await allVerbs([])).length > writtenVerbs.length);
});
