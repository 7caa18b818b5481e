/** How many embedded databases are open, and what becomes of those that are not. */
import assert from "node:assert/strict";
import { openEmbedded } from "../../tests/support/mesh_databases.ts";
import { until } from "../../tests/support/until.ts";
import { SqlError } from "../sql/port.ts";
import { PgliteMeshDatabases } from "./pglite.ts";

const BOUNDS = { timeoutMs: 20_000, maxRows: 10, maxBytes: 10_000 };
const PATIENCE_MS = 20_000;

async function run(databases: PgliteMeshDatabases, meshId: string, text: string) {
  return (await databases.run(meshId, { text, readOnly: false, bounds: BOUNDS })).rows;
}

/** Which meshes' databases are open: their processes hold a lock. */
async function open(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("mesh")) continue;
    using lock = await Deno.open(`${folder}/${name}/pg.lock`, { write: true });
    if (!await lock.tryLock(true)) found.push(name);
  }
  return found.sort();
}

Deno.test("ten meshes are used in turns, at most four are open, and none loses a row", async () => {
  await using test = await openEmbedded();
  const { databases, folder } = test;
  const meshes = Array.from({ length: 10 }, (_, index) => `mesh${index}`);
  for (const mesh of meshes) {
    await run(databases, mesh, `CREATE TABLE kept AS SELECT '${mesh}' AS mesh`);
    assert.ok((await open(folder)).length <= 4);
  }
  assert.deepEqual(await open(folder), ["mesh6", "mesh7", "mesh8", "mesh9"]);
  await run(databases, "mesh6", "SELECT 1");
  await run(databases, "mesh0", "SELECT 1");
  assert.deepEqual(await open(folder), ["mesh0", "mesh6", "mesh8", "mesh9"]);
  // More wait at once than there are places.
  const found = await Promise.all(meshes.map((mesh) => run(databases, mesh, "SELECT * FROM kept")));
  assert.deepEqual(found.flat(2), meshes);
  assert.equal((await open(folder)).length, 4);
});

Deno.test("a database that nobody uses is closed, and found again", async () => {
  await using test = await openEmbedded({ idleMs: 50 });
  const { databases, folder } = test;
  await run(databases, "mesh0", "CREATE TABLE kept AS SELECT 7 AS n");
  await until("it is closed", PATIENCE_MS, async () => (await open(folder)).length === 0);
  assert.deepEqual(await run(databases, "mesh0", "SELECT n FROM kept"), [[7]]);
});

/** The process that has a file open, other than this one. */
function holderOf(path: string): number | null {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (/^\d+$/.test(name) && Number(name) !== Deno.pid && hasOpen(name, path)) return Number(name);
  }
  return null;
}

/** Also true of one that has ended and that its parent has not asked after. */
function isThere(pid: number): boolean {
  return [...Deno.readDirSync("/proc")].some(({ name }) => name === `${pid}`);
}

function hasOpen(pid: string, path: string): boolean {
  const folder = `/proc/${pid}/fd`;
  const files = ifThere(() => [...Deno.readDirSync(folder)]) ?? [];
  return files.some(({ name }) => ifThere(() => Deno.readLinkSync(`${folder}/${name}`)) === path);
}

/** What `read` returns; null for what has gone meanwhile, or is another user's. */
function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const { NotCapable, NotFound, PermissionDenied } = Deno.errors;
    if ([NotCapable, NotFound, PermissionDenied].some((kind) => error instanceof kind)) return null;
    throw error;
  }
}

Deno.test({
  name: "a database whose process is killed is opened again, at the latest by the second statement",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using test = await openEmbedded();
    const { databases, folder } = test;
    await run(databases, "mesh0", "CREATE TABLE kept AS SELECT 7 AS n");
    const pid = holderOf(`${await Deno.realPath(folder)}/mesh0/pg.lock`);
    assert.ok(pid !== null);
    Deno.kill(pid, "SIGKILL");
    await until("it has ended", PATIENCE_MS, () => !isThere(pid));
    // The system may know of the end before the broker does; then this statement tells it.
    await run(databases, "mesh0", "SELECT 1").catch((error) => {
      assert.ok(error instanceof SqlError && error.kind === "unavailable", String(error));
    });
    assert.deepEqual(await run(databases, "mesh0", "SELECT n FROM kept"), [[7]]);
  },
});
