/** The architecture holds: the import rules, read again from the modules of the project as it stands. */
import assert from "node:assert/strict";
import { importBreaches, importMapNames } from "../../scripts/check_imports.ts";
import { readProjectFiles } from "../../scripts/project_files.ts";

Deno.test("the project's modules keep the import rules", async () => {
  const files = await readProjectFiles();
  assert.ok(files.has("deno.json"), "the project's root was not read");
  const breaches = importBreaches(files, await importMapNames());
  assert.deepEqual(breaches, [], `\n${breaches.join("\n")}\n`);
});
