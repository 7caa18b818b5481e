/** Tests that the import check can fail: each rule meets a small tree that breaks it, and one that does not. */
import assert from "node:assert/strict";
import { importBreaches } from "./check_imports.ts";

const NAMES = ["zod", "@noble/hashes/", "hono", "postgres"];

/** Breaches of a tree of one-line modules. */
function breaches(tree: Record<string, string>): string[] {
  return importBreaches(new Map(Object.entries(tree)), NAMES);
}

function assertOne(tree: Record<string, string>, expected: RegExp): void {
  const found = breaches(tree);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

Deno.test("importBreaches() passes a tree that keeps the rules", () => {
  assert.deepEqual(
    breaches({
      "main.ts":
        `import config from "./deno.json" with { type: "json" }; await import("./broker/server.ts");`,
      "broker/server.ts": `import { tasks } from "./features/tasks.ts";
        import { sql } from "../storage/sql/postgres.ts"; import { Hono } from "hono";`,
      "broker/api/op.ts": `import * as z from "zod"; export const a = 1;`,
      "broker/api/catalog.ts": `export { a } from "./op.ts";`,
      "broker/features/tasks.ts": `import { a } from "../api/op.ts"; export const tasks = a;`,
      "storage/sql/postgres.ts": `import postgres from "postgres"; export const sql = postgres;
        import type { A } from "../../broker/api/op.ts";`,
      "crypto/hash.ts": `import { sha256 } from "@noble/hashes/sha2.js"; sha256();`,
      "crypto/hash_test.ts": `import { x } from "../tests/support/vectors.ts"; x();`,
      "tests/integration/send_test.ts": `import { serve } from "../../broker/server.ts"; serve();`,
    }),
    [],
  );
});

Deno.test("importBreaches() names a direction that the table forbids", () => {
  assertOne(
    { "agent/core/link.ts": `import { a } from "../../broker/core/route.ts"; a();` },
    /^agent\/core\/link\.ts:1: .*agent\/core\/ may not import it$/,
  );
  assertOne({ "crypto/box.ts": `import { a } from "../broker/api/op.ts"; a();` }, /may not import/);
  assertOne({ "storage/a.ts": `const a = await import("../broker/core/b.ts");` }, /may not import/);
});

Deno.test("importBreaches() lets storage take types of the contract, not values", () => {
  assertOne(
    { "storage/a.ts": `import { limits } from "../broker/api/limits.ts"; limits();` },
    /may import only its types/,
  );
});

Deno.test("importBreaches() refuses what goes around the import map", () => {
  for (const specifier of ["https://a.example/b.ts", "jsr:@std/path", "npm:zod@4", "/a.ts"]) {
    assertOne({ "scripts/a.ts": `import "${specifier}"; a();` }, /:1: /);
  }
  assertOne({ "scripts/a.ts": `import left from "left-pad"; left();` }, /not in the import map/);
});

Deno.test("importBreaches() keeps the import map for tests, and frees them from direction", () => {
  assertOne(
    { "crypto/a.ts": "a();", "crypto/a_test.ts": `import "jsr:@std/assert"; a();` },
    /import map/,
  );
  assertOne({ "crypto/a_test.ts": "a();" }, /beside no unit "crypto\/a\.ts"/);
});

Deno.test("importBreaches() holds the contract to zod", () => {
  assertOne({ "broker/api/a.ts": `import fs from "node:fs"; fs();` }, /only zod/);
  assertOne({ "broker/api/a.ts": `import { Hono } from "hono"; Hono();` }, /only zod/);
});

Deno.test("importBreaches() wants main.ts to load the roles lazily", () => {
  assertOne({ "main.ts": `import { a } from "./broker/server.ts"; a();` }, /await import/);
});

Deno.test("importBreaches() refuses barrels except catalog.ts", () => {
  assertOne({ "crypto/all.ts": `export { a } from "./a.ts"; export { b } from "./b.ts";` }, /pass/);
  assertOne({ "crypto/all.ts": `export * from "./a.ts"; export const x = 1;` }, /everything/);
  assertOne({ "crypto/mod.ts": `export const x = 1;` }, /named like a barrel/);
});

Deno.test("importBreaches() refuses strangers at the top level and in the folders", () => {
  assertOne({ "notes.md": "# Notes" }, /"notes\.md" has no place/);
  assertOne({ "broker/routes.ts": "a();" }, /no row/);
  assertOne({ "agent/core/a.ts": `import "../../../other/a.ts"; a();` }, /leaves the project/);
});

Deno.test("importBreaches() refuses a computed import outside tests", () => {
  assertOne({ "agent/core/a.ts": "await import(name);" }, /needs a literal/);
  assertOne(
    { "agent/core/a.ts": `await import(new URL("../../mcp/a.ts", import.meta.url).href);` },
    /agent\/core\/ may not import it/,
  );
  assert.deepEqual(breaches({ "tests/e2e/a_test.ts": "await import(name);" }), []);
});
