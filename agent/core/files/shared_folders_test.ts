/** Tests of which folders can be shared, and of keeping them. */
import assert from "node:assert/strict";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { LocalError } from "../local_error.ts";
import { folderProblem, isInside, MAX_SHARED_FOLDERS, SharedFolders } from "./shared_folders.ts";

const NOW = new Date("2026-11-21T10:00:00.000Z");
const own = { home: "/home/ada", claudemesh: "/home/ada/.claudemesh" };

/** A claudemesh folder with the state of a mesh, and a folder to share. */
async function withFolders(
  run: (state: string, project: string) => Promise<void>,
): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  const [state, project] = [join(base, "home/state/mesh1"), join(base, "project")];
  await Deno.mkdir(state, { recursive: true });
  await Deno.mkdir(project);
  try {
    await run(state, project);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

function isLocal(code: string): (error: unknown) => boolean {
  return (error) => error instanceof LocalError && error.code === code;
}

Deno.test("nothing is shared until somebody does, and that is remembered", () =>
  withFolders(async (state, project) => {
    const folders = new SharedFolders(state);
    assert.deepEqual(folders.all, []);
    const added = await folders.add(project, NOW);
    assert.deepEqual(added, { path: project, name: "project", sharedAt: NOW.toISOString() });
    assert.deepEqual(await folders.add(`${project}/`, NOW), added);
    assert.deepEqual(new SharedFolders(state).all, [added]);
    await folders.remove(project);
    assert.deepEqual(new SharedFolders(state).all, []);
  }));

Deno.test("a folder is shared as what its links lead to, and two of a name are told apart", () =>
  withFolders(async (state, project) => {
    const folders = new SharedFolders(state);
    const second = join(project, "project");
    await Deno.mkdir(second);
    await Deno.symlink(project, `${project}-link`);
    assert.equal((await folders.add(`${project}-link`, NOW)).path, project);
    assert.equal((await folders.add(second, NOW)).name, "project-2");
    assert.equal((await folders.remove("project-2")).path, second);
  }));

Deno.test("files, missing and relative paths are no folders to share", () =>
  withFolders(async (state, project) => {
    const folders = new SharedFolders(state);
    await Deno.writeTextFile(join(project, "file"), "");
    await assert.rejects(folders.add(join(project, "file"), NOW), isLocal("invalid_argument"));
    await assert.rejects(folders.add(join(project, "none"), NOW), isLocal("not_found"));
    await assert.rejects(folders.add("project", NOW), isLocal("invalid_argument"));
    await assert.rejects(folders.remove("none"), isLocal("not_found"));
  }));

Deno.test("the home and the claudemesh folder are refused, by a link too", () =>
  withFolders(async (state, project) => {
    const folders = new SharedFolders(state);
    const claudemesh = dirname(dirname(state));
    await Deno.symlink(homedir(), join(project, "home"));
    await Deno.symlink(claudemesh, join(project, "inner"));
    const paths = [homedir(), claudemesh, state, dirname(project), "/"];
    for (const path of [...paths, join(project, "home"), join(project, "inner")]) {
      await assert.rejects(folders.add(path, NOW), isLocal("refused"), path);
    }
    assert.deepEqual(folders.all, []);
  }));

Deno.test("so many folders can be shared and not one more", () =>
  withFolders(async (state, project) => {
    const folders = new SharedFolders(state);
    for (let number = 0; number <= MAX_SHARED_FOLDERS; number++) {
      await Deno.mkdir(join(project, `f${number}`));
      const adding = folders.add(join(project, `f${number}`), NOW);
      if (number < MAX_SHARED_FOLDERS) await adding;
      else await assert.rejects(adding, isLocal("limit"));
    }
  }));

Deno.test("a damaged record shares nothing", () =>
  withFolders(async (state) => {
    const file = join(state, "shared_folders.json");
    for (const text of ["{", "[]", '{"folders":[{"path":"relative"}]}', '{"folders":3}']) {
      await Deno.writeTextFile(file, text);
      assert.deepEqual(new SharedFolders(state).all, [], text);
    }
  }));

Deno.test("homes, disks, systems and places of keys are never shared", () => {
  const refused = [
    "/",
    "/home",
    "/home/ada",
    "/home/ada/.claudemesh",
    "/home/ada/.claudemesh/keys",
    "/home/ada/.ssh",
    "/home/ada/.SSH/old",
    "/home/ada/.config/app/data",
    "/home/ada/project/.git/hooks",
    "/home/ada/.hidden",
    "/home/ada/secrets",
    "/home/ada/project/node_modules",
    "/etc",
    "/etc/nginx",
    "/proc/1",
  ];
  for (const path of refused) assert.notEqual(folderProblem(path, own), null, path);
  const shared = ["/home/ada/project", "/srv/data", "/home/ada/.worktrees/one", "/etcetera"];
  for (const path of shared) assert.equal(folderProblem(path, own), null, path);
});

Deno.test("a folder holds what lies below it by segment, not by spelling", () => {
  assert.ok(isInside("/a/b", "/a/b") && isInside("/a/b", "/a/b/c") && isInside("/", "/a"));
  assert.ok(!isInside("/a/b", "/a/bc") && !isInside("/a/b", "/a"));
});
