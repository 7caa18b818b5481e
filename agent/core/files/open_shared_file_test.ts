/** Attacks on the guards of peer files: everything that could lead out of a shared folder, or to what is never served. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MeshError } from "../../../broker/api/errors.ts";
import { LIMITS } from "../../../broker/api/limits.ts";
import { findShared, openShared } from "./open_shared_file.ts";
import type { SharedFolder } from "./shared_folders.ts";

const SECRET = "never to be served";

interface Place {
  /** The shared folder. */
  readonly root: string;
  /** A folder beside it that nobody shares, with `plan.txt`. */
  readonly outside: string;
  readonly folders: SharedFolder[];
}

async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  const [root, outside] = [join(base, "shared"), join(base, "shared-not")];
  await Deno.mkdir(join(root, "docs"), { recursive: true });
  await Deno.mkdir(outside);
  await Deno.writeTextFile(join(root, "docs/readme.md"), "hello");
  await Deno.writeTextFile(join(outside, "plan.txt"), SECRET);
  const sharedAt = "2026-11-21T10:00:00.000Z";
  try {
    await run({ root, outside, folders: [{ path: root, name: "shared", sharedAt }] });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

async function read(folders: readonly SharedFolder[], path: string): Promise<string> {
  const file = await openShared(await findShared(folders, path));
  try {
    return await file.handle.readFile({ encoding: "utf8" });
  } finally {
    await file.handle.close();
  }
}

async function refused(reading: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(reading, (error) => {
    assert.ok(error instanceof MeshError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.length > 0 && !error.message.includes(SECRET));
    return true;
  });
}

Deno.test("a file is read by its path in the folder, with the folder's name or without", () =>
  withPlace(async ({ folders }) => {
    for (const path of ["docs/readme.md", "shared/docs/readme.md", "./docs//readme.md"]) {
      assert.equal(await read(folders, path), "hello");
    }
  }));

Deno.test("of several folders, the one that has the file serves it", () =>
  withPlace(async ({ root, outside, folders }) => {
    const both = [...folders, { path: outside, name: "other", sharedAt: "" }];
    await Deno.writeTextFile(join(outside, "plain.txt"), "other");
    assert.equal(await read(both, "plain.txt"), "other");
    assert.equal(await read(both, "other/plain.txt"), "other");
    await refused(read(both, "shared/plain.txt"), "not_found");
    assert.equal(await read(both, "docs/readme.md"), "hello");
    assert.ok(root);
  }));

Deno.test("nothing is served where nothing is shared, or the folder is gone", () =>
  withPlace(async ({ root, folders }) => {
    await refused(read([], "docs/readme.md"), "not_found");
    await Deno.rename(root, `${root}-moved`);
    await refused(read(folders, "docs/readme.md"), "not_found");
  }));

Deno.test("paths that climb or begin at the top are refused", () =>
  withPlace(async ({ outside, folders }) => {
    const climbing = [
      "../shared-not/plan.txt",
      "docs/../../shared-not/plan.txt",
      "docs/..",
      join(outside, "plan.txt"),
      "//etc/passwd",
      "~/plan.txt",
    ];
    for (const path of climbing) await refused(read(folders, path), "forbidden");
    await refused(read(folders, "..\\shared-not\\plan.txt"), "invalid_argument");
    await refused(read(folders, "docs/readme.md\0.txt"), "invalid_argument");
  }));

Deno.test("links that lead out are refused, of files and of folders, direct and in a chain", () =>
  withPlace(async ({ root, outside, folders }) => {
    await Deno.symlink(join(outside, "plan.txt"), join(root, "link.txt"));
    await Deno.symlink("../shared-not/plan.txt", join(root, "relative.txt"));
    await Deno.symlink(outside, join(root, "folder"));
    await Deno.symlink("link.txt", join(root, "chain.txt"));
    await Deno.symlink("loop", join(root, "loop"));
    for (const path of ["link.txt", "relative.txt", "folder/plan.txt", "chain.txt", "loop"]) {
      await refused(read(folders, path), "forbidden");
    }
  }));

Deno.test("a folder whose name only begins like the shared one is outside", () =>
  withPlace(async ({ root, outside, folders }) => {
    assert.ok(outside.startsWith(root));
    await Deno.symlink(join(outside, "plan.txt"), join(root, "near.txt"));
    await refused(read(folders, "near.txt"), "forbidden");
  }));

Deno.test("a link within the folder is followed, but not to what is never served", () =>
  withPlace(async ({ root, folders }) => {
    await Deno.symlink("docs/readme.md", join(root, "start.md"));
    assert.equal(await read(folders, "start.md"), "hello");
    await Deno.writeTextFile(join(root, ".env"), SECRET);
    await Deno.mkdir(join(root, ".git"));
    await Deno.writeTextFile(join(root, ".git/config"), SECRET);
    await Deno.symlink(".env", join(root, "settings.txt"));
    await Deno.symlink(".git", join(root, "history"));
    await refused(read(folders, "settings.txt"), "forbidden");
    await refused(read(folders, "history/config"), "forbidden");
  }));

Deno.test("hidden files and secrets are refused by name, whether they exist or not", () =>
  withPlace(async ({ root, folders }) => {
    await Deno.mkdir(join(root, "node_modules/x"), { recursive: true });
    for (const name of [".env", "server.key", "id_rsa", "node_modules/x/.npmrc"]) {
      await Deno.writeTextFile(join(root, name), SECRET);
    }
    const names = [".env", ".ENV", "server.key", "Server.KEY", "id_rsa", "node_modules/x/.npmrc"];
    for (const name of [...names, "missing.pem", ".missing"]) {
      await refused(read(folders, name), "forbidden");
    }
  }));

Deno.test("a hard link to a file outside is refused", () =>
  withPlace(async ({ root, outside, folders }) => {
    await Deno.link(join(outside, "plan.txt"), join(root, "plain.txt"));
    await refused(read(folders, "plain.txt"), "forbidden");
  }));

Deno.test("folders, pipes and sockets are no files, and a pipe holds nobody up", () =>
  withPlace(async ({ root, folders }) => {
    await refused(read(folders, "docs"), "invalid_argument");
    await refused(read(folders, ""), "invalid_argument");
    const { success } = await new Deno.Command("mkfifo", { args: [join(root, "pipe")] }).output();
    assert.ok(success);
    await refused(read(folders, "pipe"), "forbidden");
    await refused(read(folders, "docs/readme.md/x"), "not_found");
    await refused(read(folders, "x".repeat(255)), "not_found");
  }));

Deno.test("a shared folder that a link replaced serves nothing of where it leads", () =>
  withPlace(async ({ root, outside, folders }) => {
    await Deno.rename(root, `${root}-moved`);
    await Deno.symlink(outside, root);
    await refused(read(folders, "plan.txt"), "not_found");
  }));

Deno.test("a file that a link replaced after the look is not opened", () =>
  withPlace(async ({ root, outside, folders }) => {
    const place = await findShared(folders, "docs/readme.md");
    await Deno.remove(place.path);
    await Deno.symlink(join(outside, "plan.txt"), place.path);
    await refused(openShared(place), "forbidden");
    assert.ok(root);
  }));

Deno.test("a folder that a link replaced after the look is not gone through", () =>
  withPlace(async ({ root, outside, folders }) => {
    await Deno.writeTextFile(join(outside, "readme.md"), SECRET);
    const place = await findShared(folders, "docs/readme.md");
    await Deno.rename(join(root, "docs"), join(root, "docs-old"));
    await Deno.symlink(outside, join(root, "docs"));
    await refused(openShared(place), "conflict");
  }));

Deno.test("a file as large as the limit is opened, one byte more is not", () =>
  withPlace(async ({ root, folders }) => {
    const path = join(root, "large.bin");
    const limit = LIMITS.peerFileBytes.value;
    await Deno.writeTextFile(path, "");
    await Deno.truncate(path, limit);
    const file = await openShared(await findShared(folders, "large.bin"));
    await file.handle.close();
    assert.equal(file.sizeBytes, limit);
    await Deno.truncate(path, limit + 1);
    await refused(read(folders, "large.bin"), "too_large");
  }));

Deno.test("the version tells a changed file from the one before", () =>
  withPlace(async ({ root, folders }) => {
    const versions = new Set<string>();
    const path = join(root, "docs/readme.md");
    for (const [text, seconds] of [["one", 1], ["two", 2], ["three", 2]] as const) {
      await Deno.writeTextFile(path, text);
      await Deno.utime(path, seconds, seconds);
      const file = await openShared(await findShared(folders, "docs/readme.md"));
      await file.handle.close();
      versions.add(file.version);
    }
    assert.equal(versions.size, 3);
  }));
