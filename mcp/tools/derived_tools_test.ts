/** How the tools that are made from operations read on in long answers. */
import assert from "node:assert/strict";
import { derivedTools } from "./derived_tools.ts";
import type { Tool, ToolContext } from "./tool.ts";

const tools = new Map(derivedTools().map((tool) => [tool.name, tool]));

/** A tool's answer to `input` where the operation answers `output`, and what the operation was asked. */
async function answered(name: string, input: Record<string, unknown>, output: object) {
  const asked: unknown[] = [];
  const context = {
    sessionId: "session1",
    call(_method: string, params: { input: unknown }) {
      asked.push(params.input);
      return Promise.resolve({ results: [{ mesh: "team", ok: true, output }] });
    },
  } as unknown as ToolContext;
  const { data } = await (tools.get(name) as Tool).call(context, input);
  return { data, asked };
}

const rows = Array.from({ length: 100 }, (_, id) => ({ id, text: "x".repeat(500) }));

Deno.test("a list that is cut tells no cursor that lies behind what was cut", async () => {
  const output = { files: rows, next: "behind-all" };
  const first = await answered("list_files", {}, output);
  const { nextOffset, files } = first.data as { nextOffset: number; files: unknown[] };
  assert.ok(files.length < 100);
  assert.deepEqual([nextOffset, "next" in first.data], [files.length, false]);
  const { data } = await answered("list_files", { offset: 60 }, output);
  assert.deepEqual([data.files, data.next], [rows.slice(60), "behind-all"]);
});

Deno.test("a search is read on in its own count of results", async () => {
  const input = { collection: "notes", query: "x", offset: 40 };
  const { data, asked } = await answered("vector_search", input, { results: rows, more: true });
  assert.deepEqual(asked, [{ collection: "notes", query: "x", skip: 40 }]);
  assert.equal(data.nextOffset, 40 + (data.results as unknown[]).length);
});

Deno.test("what changed something tells of no offset to call it again with", async () => {
  const { data } = await answered("graph_execute", { cypher: "CREATE" }, { records: rows });
  assert.ok((data.records as unknown[]).length < 100);
  assert.deepEqual([data.nextOffset, data.total], [undefined, undefined]);
  assert.match(String(data.note), /It was done; cut/);
});
