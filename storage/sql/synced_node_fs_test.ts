/** The flush hook: it reaches the disk, and a disk that refuses is told and seen by PostgreSQL. */
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { SyncedNodeFs } from "./synced_node_fs.ts";

class ErrnoError extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

Deno.test("a flush is counted when it succeeded, and is an I/O error when it did not", async () => {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-sync-" });
  const told: string[] = [];
  const fs = new SyncedNodeFs(folder, (message) => told.push(message));
  const { emscriptenOpts } = await fs.init({} as Parameters<SyncedNodeFs["init"]>[0], {});
  const operations: { fsync?: (stream: { nfd: number }) => number } = {};
  const module: unknown = { FS: { ErrnoError }, NODEFS: { stream_ops: operations } };
  const hook = emscriptenOpts.preRun?.at(-1) as ((module: unknown) => void) | undefined;
  hook?.(module);
  const fd = openSync(join(folder, "file"), "w");
  assert.equal(operations.fsync?.({ nfd: fd }), 0);
  closeSync(fd);
  assert.deepEqual([fs.syncs, told.length], [1, 0]);
  assert.throws(() => operations.fsync?.({ nfd: fd }), (error) => {
    return error instanceof ErrnoError && error.errno === 29;
  });
  assert.deepEqual([fs.syncs, told.length], [1, 1]);
  await Deno.remove(folder, { recursive: true });
});
