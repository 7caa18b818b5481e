/** Tests of what a listing of shared folders tells. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MeshError } from "../../../broker/api/errors.ts";
import { listShared, MAX_LISTED, MAX_PATTERN_CHARS } from "./list_shared_files.ts";
import type { SharedFolder } from "./shared_folders.ts";

async function withFolder(
  names: readonly string[],
  run: (folders: SharedFolder[], root: string, base: string) => Promise<void>,
): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  const root = join(base, "shared");
  await Deno.mkdir(root);
  try {
    for (const name of names) {
      const path = join(root, name);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      await Deno.writeTextFile(path, "four");
    }
    await run([{ path: root, name: "shared", sharedAt: "" }], root, base);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

async function paths(
  folders: readonly SharedFolder[],
  path = "",
  pattern: string | null = null,
): Promise<string[]> {
  return (await listShared(folders, path, pattern)).entries.map((entry) => entry.path);
}

Deno.test("two levels are listed, sorted, with sizes", () =>
  withFolder(["b.txt", "a/x.txt", "a/deep/y.txt"], async (folders) => {
    assert.deepEqual(await listShared(folders, "", null), {
      entries: [
        { path: "a", kind: "folder", sizeBytes: null },
        { path: "a/deep", kind: "folder", sizeBytes: null },
        { path: "a/x.txt", kind: "file", sizeBytes: 4 },
        { path: "b.txt", kind: "file", sizeBytes: 4 },
      ],
      truncated: false,
    });
    assert.deepEqual(await paths(folders, "a/deep"), ["a/deep/y.txt"]);
  }));

Deno.test("what is never served is never listed", () =>
  withFolder(
    ["a.txt", ".env", ".git/config", "key.pem", "node_modules/x.js", "secrets.json", "sub/.hidden"],
    async (folders) => assert.deepEqual(await paths(folders), ["a.txt", "sub"]),
  ));

Deno.test("links are listed only where they stay inside, and never followed", () =>
  withFolder(["a/x.txt"], async (folders, root, base) => {
    await Deno.mkdir(join(base, "outside"));
    await Deno.writeTextFile(join(base, "outside/plan.txt"), "");
    await Deno.symlink(join(base, "outside"), join(root, "out"));
    await Deno.symlink(join(base, "outside/plan.txt"), join(root, "out.txt"));
    await Deno.symlink(root, join(root, "a/circle"));
    await Deno.symlink("x.txt", join(root, "a/link.txt"));
    assert.deepEqual(await paths(folders), ["a", "a/circle", "a/link.txt", "a/x.txt"]);
  }));

Deno.test("a pattern chooses by name", () =>
  withFolder(["one.ts", "two.md", "sub/three.ts"], async (folders) => {
    assert.deepEqual(await paths(folders, "", "*.ts"), ["one.ts", "sub/three.ts"]);
    assert.deepEqual(await paths(folders, "", "t?o.md"), ["two.md"]);
  }));

Deno.test("several folders are listed under their names", () =>
  withFolder(["one.ts"], async (folders, _root, base) => {
    await Deno.mkdir(join(base, "more/sub"), { recursive: true });
    const both = [...folders, { path: join(base, "more"), name: "more", sharedAt: "" }];
    assert.deepEqual(await paths(both), ["more", "more/sub", "shared", "shared/one.ts"]);
    assert.deepEqual(await paths(both, "more"), ["more/sub"]);
  }));

Deno.test("a listing ends at its limit and says so", () => {
  const names = Array.from({ length: MAX_LISTED }, (_, index) => `f${index}`);
  return withFolder(names, async (folders, root) => {
    const full = await listShared(folders, "", null);
    assert.deepEqual([full.entries.length, full.truncated], [MAX_LISTED, false]);
    await Deno.writeTextFile(join(root, "one more"), "");
    const cut = await listShared(folders, "", null);
    assert.deepEqual([cut.entries.length, cut.truncated], [MAX_LISTED, true]);
  });
});

Deno.test("what is no folder, or outside, is not listed", () =>
  withFolder(["a.txt"], async (folders) => {
    const cases = { "a.txt": "invalid_argument", "none": "not_found", "..": "forbidden" };
    for (const [path, code] of Object.entries(cases)) {
      await assert.rejects(
        listShared(folders, path, null),
        (error) => error instanceof MeshError && error.code === code,
      );
    }
    await assert.rejects(listShared([], "", null), MeshError);
    await assert.rejects(listShared(folders, "", "x".repeat(MAX_PATTERN_CHARS + 1)), MeshError);
    await assert.rejects(listShared(folders, "", "a/*"), MeshError);
  }));
