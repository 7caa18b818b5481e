/** Verbs made from operations. */
import assert from "node:assert/strict";
import { state } from "../../broker/api/state.ts";
import type { Op } from "../../broker/api/op.ts";
import type { LocalClient } from "../core/local_client.ts";
import { deriveVerb } from "./derive.ts";
import type { VerbContext } from "./verb.ts";

/** What the verb of `op` prints when the broker answers `output`. */
async function textOf(op: Op, args: string[], output: Record<string, unknown>): Promise<string> {
  const client = {
    call: () => Promise.resolve({ results: [{ mesh: "team", ok: true, output }] }),
  } as unknown as LocalClient;
  const context = { args, flags: {}, json: false, agent: () => Promise.resolve(client) };
  const result = await deriveVerb(op).run(context as unknown as VerbContext);
  return result!.text;
}

Deno.test("a value that is an empty list is shown, not told to be absent", async () => {
  const entry = { ...state.getState.example.output, key: "pr-queue", value: [] };
  const text = await textOf(state.getState, ["pr-queue"], entry);
  assert.match(text, /value +\[\]/);
  assert.doesNotMatch(text, /No value/);
});

Deno.test("a list of answers is a table, or told to be empty", async () => {
  const { entries } = state.listState.example.output;
  assert.match(await textOf(state.listState, [], { entries }), /key +value +revision/);
  assert.match(await textOf(state.listState, [], { entries: [] }), /No entries/);
});
