/** Tests of paths as people and models write them. */
import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { localPath } from "./local_path.ts";

Deno.test("a path is taken from the working folder, from the home, or as it is", () => {
  assert.equal(localPath("a/b.txt"), join(Deno.cwd(), "a/b.txt"));
  assert.equal(localPath("~/a.txt"), join(homedir(), "a.txt"));
  assert.equal(localPath("/a/../b.txt"), "/b.txt");
});

Deno.test("a slash at the end, which means a folder, stays", () => {
  assert.equal(localPath("/a/b/"), "/a/b/");
  assert.equal(localPath("."), Deno.cwd());
  assert.equal(localPath("~/"), `${homedir()}/`);
  assert.equal(localPath("/"), "/");
});
