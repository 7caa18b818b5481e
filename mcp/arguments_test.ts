/** The flags of the role `mcp`. */
import assert from "node:assert/strict";
import { mcpArguments } from "./arguments.ts";

Deno.test("meshes are given apart or with commas, in three spellings", () => {
  const wanted = { meshes: ["a", "b", "c"], standalone: false };
  assert.deepEqual(mcpArguments(["--mesh", "a,b", "-m", "c"]), wanted);
  assert.deepEqual(mcpArguments(["--mesh=a", "--mesh=b,c"]), wanted);
});

Deno.test("standalone is a flag of its own", () => {
  assert.deepEqual(mcpArguments(["--standalone"]), { meshes: [], standalone: true });
  assert.deepEqual(mcpArguments([]), { meshes: [], standalone: false });
});

Deno.test("everything else is left to the parser of the command line", () => {
  for (const argv of [["--help"], ["--mesh"], ["--mesh", "--standalone"], ["x"], ["--mesh="]]) {
    assert.equal(mcpArguments(argv), null, argv.join(" "));
  }
});
