/** Tests of the search for files that the program opens by URL. */
import assert from "node:assert/strict";
import { assetPaths } from "./asset_urls.ts";

Deno.test("assetPaths() finds what the program opens beside itself, and nothing of the tests", () => {
  const files = new Map([
    ["storage/sql/pglite.ts", `new Worker(new URL("./pglite_worker.ts", import.meta.url), {});`],
    ["storage/sql/pglite_test.ts", `new URL("./fixture.txt", import.meta.url);`],
    ["scripts/gen.ts", `new URL("../", import.meta.url);`],
    ["mcp/page.ts", `new URL("../docs/a.md", import.meta.url); new URL("https://a.example/b");`],
  ]);
  assert.deepEqual(assetPaths(files), ["docs/a.md", "storage/sql/pglite_worker.ts"]);
});
