/** Tests of the tables of fields. */
import assert from "node:assert/strict";
import * as z from "zod";
import { type JsonSchema, schemaRows, typeText } from "./schema_rows.ts";

function schemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", reused: "inline" }) as JsonSchema;
}

Deno.test("typeText() says what a value may be", () => {
  const cases: [z.ZodType, string][] = [
    [z.string().max(64), "string, at most 64 characters"],
    [z.string().min(1).max(8), "string, 1 to 8 characters"],
    [z.enum(["now", "low"]), '`"now"` or `"low"`'],
    [z.literal("push"), '`"push"`'],
    [z.string().nullable(), "string or null"],
    [z.array(z.string()).max(3), "list of string, at most 3 entries"],
    [z.record(z.string(), z.boolean()), "map of boolean"],
    [z.boolean().default(true), "boolean, default `true`"],
    [z.int().nonnegative(), "integer, at least 0"],
    [z.string().regex(/^[a-f]{2}$/), "string, `^[a-f]{2}$`"],
    [z.unknown(), "any JSON value"],
  ];
  for (const [schema, expected] of cases) assert.equal(typeText(schemaOf(schema)), expected);
});

Deno.test("schemaRows() walks into objects and lists, and marks what is required", () => {
  const schema = z.object({
    id: z.string().describe("Names it."),
    groups: z.array(z.object({ name: z.string() })).optional(),
    owner: z.object({ key: z.string().optional() }).nullable(),
  });
  assert.deepEqual(
    schemaRows(schemaOf(schema)).map((row) => [row.name, row.required, row.description]),
    [
      ["id", true, "Names it."],
      ["groups", false, ""],
      ["groups[].name", true, ""],
      ["owner", true, ""],
      ["owner.key", false, ""],
    ],
  );
});
