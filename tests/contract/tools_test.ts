/** The tools that the MCP server serves are those of the acceptance list, as they are described there. */
import assert from "node:assert/strict";
import { ops } from "../../broker/api/catalog.ts";
import { toolNames } from "../../agent/core/tool_names.ts";
import { allTools, type ListedTool, listedTool } from "../../mcp/tools/catalog.ts";
import accepted from "./tools.json" with { type: "json" };
import { PENDING } from "./pending.ts";

/** The number of tools in the acceptance list. */
const ACCEPTED_TOOLS = 79;
/** What all tools together may cost a model that is shown every one of them. */
const LISTING_TOKENS = 12_000;
const CHARS_PER_TOKEN = 4;

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

interface AcceptedParam {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly enum?: readonly string[];
}

interface AcceptedTool {
  readonly family: string;
  readonly name: string;
  readonly params: readonly AcceptedParam[];
}

const list = accepted as readonly AcceptedTool[];
const tools = allTools(() => ({ messageMode: "push", isReady: true, clientName: null }));
const served = new Map(tools.map((tool) => [tool.name, listedTool(tool)]));
const pending = new Set(Object.values(PENDING).flat());

/** Writes a JSON Schema in the notation of the acceptance list: `string`, `string[]`, `string | object`. */
function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items ?? {})}[]`;
  if (schema.type === "integer") return "number";
  return schema.type ?? "any";
}

function enumOf(schema: JsonSchema): readonly string[] | undefined {
  return schema.enum ?? schema.items?.enum;
}

function paramsOf(tool: ListedTool): JsonSchema {
  return tool.inputSchema as JsonSchema;
}

Deno.test("the acceptance list is whole: 79 tools, each named once", () => {
  assert.equal(list.length, ACCEPTED_TOOLS);
  assert.equal(new Set(list.map((tool) => tool.name)).size, ACCEPTED_TOOLS);
});

Deno.test("what is pending is a tool of the acceptance list, in its family, and is not served", () => {
  for (const [family, names] of Object.entries(PENDING)) {
    for (const name of names) {
      const tool = list.find((each) => each.name === name);
      assert.equal(tool?.family, family, `${name} is no tool of the family ${family}`);
      assert.ok(!served.has(name), `${name} is served: take it off the pending list`);
    }
  }
});

for (const tool of list.filter((each) => !pending.has(each.name))) {
  Deno.test(`${tool.name} is served with the parameters of the acceptance list`, () => {
    const listed = served.get(tool.name);
    assert.ok(listed !== undefined, `${tool.name} is neither served nor pending`);
    const { properties = {}, required = [] } = paramsOf(listed);
    for (const param of tool.params) {
      const schema = properties[param.name];
      assert.ok(schema !== undefined, `${param.name} is missing`);
      assert.equal(typeOf(schema), param.type, param.name);
      assert.deepEqual(enumOf(schema), param.enum, param.name);
      assert.equal(required.includes(param.name), param.required, `${param.name} required`);
    }
    const known = tool.params.map((param) => param.name);
    const added = required.filter((name) => !known.includes(name));
    assert.deepEqual(added, [], "what is added is optional");
  });
}

Deno.test("every tool that is served is a tool of the acceptance list", () => {
  const names = new Set(list.map((tool) => tool.name));
  const others = [...served.keys()].filter((name) => !names.has(name));
  assert.deepEqual(others, []);
});

Deno.test("every tool says when to use it, and what each of its parameters means", () => {
  for (const [name, tool] of served) {
    assert.ok(tool.description.length >= 10, `${name} has no description to speak of`);
    for (const [param, schema] of Object.entries(paramsOf(tool).properties ?? {})) {
      assert.ok("description" in schema, `${name}.${param} has no description`);
    }
  }
});

Deno.test("the list of tool names that the host is told of is the list that is served", () => {
  assert.deepEqual(toolNames().sort(), [...served.keys()].sort());
});

Deno.test("every operation that declares a tool is served under that name", () => {
  for (const op of ops) {
    if (op.tool !== undefined) assert.ok(served.has(op.tool.name), op.tool.name);
  }
});

Deno.test("only what reads is called again for the rest of its answer", () => {
  for (const { tool } of ops) {
    if (tool === undefined) continue;
    const { properties = {} } = paramsOf(served.get(tool.name)!);
    assert.equal("offset" in properties, tool.readOnly === true, tool.name);
  }
});

Deno.test("the listing of all tools stays within its budget of tokens", () => {
  const chars = JSON.stringify([...served.values()]).length;
  const tokens = Math.ceil(chars / CHARS_PER_TOKEN);
  assert.ok(tokens <= LISTING_TOKENS, `the listing takes about ${tokens} tokens`);
});
