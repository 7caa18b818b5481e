/** Tests of the transfers that clients begin: how they are followed, ended and forgotten. */
import assert from "node:assert/strict";
import type { LocalEvent } from "../core/local_types.ts";
import type { TransferControl } from "../core/files/transfer.ts";
import type { TransferResult } from "../core/file_types.ts";
import { LocalError } from "../core/local_error.ts";
import type { Connection } from "./local_method_context.ts";
import { type TransferJob, Transfers } from "./transfers.ts";

const RESULT: TransferResult = {
  fileId: "file1",
  name: "a.txt",
  sizeBytes: 4,
  sha256: null,
  path: "/a.txt",
  from: null,
  sharedWith: "mesh",
};
const NEVER = new Promise<void>(() => {});

function client() {
  const gone = Promise.withResolvers<void>();
  const events: LocalEvent[] = [];
  const emit = (event: LocalEvent) => void events.push(event);
  const connection = { gone: gone.promise, emit } as unknown as Connection;
  return { connection, events, leave: () => gone.resolve() };
}

/** A job whose end the test decides; an abort ends it as well. */
function job() {
  const end = Promise.withResolvers<TransferResult>();
  const begun = Promise.withResolvers<TransferControl>();
  const made: TransferJob = {
    mesh: "team",
    kind: "get",
    run(control) {
      begun.resolve(control);
      control.signal.addEventListener("abort", () => end.reject(control.signal.reason));
      return end.promise;
    },
  };
  return { job: made, begun: begun.promise, end };
}

Deno.test("a transfer that ends in time is told whole, to the answer and as an event", async () => {
  const transfers = new Transfers(() => 0);
  const { connection, events } = client();
  const work = job();
  const transfer = transfers.start(work.job, connection);
  work.end.resolve(RESULT);
  const state = await transfers.wait(transfer, 60_000, NEVER);
  assert.deepEqual([state.state, state.result, state.kind], ["done", RESULT, "get"]);
  assert.deepEqual(events, [{ kind: "transfer", mesh: "team", transfer: state }]);
});

Deno.test("one that takes longer is asked for again", async () => {
  const transfers = new Transfers(() => 0);
  const work = job();
  const transfer = transfers.start(work.job, client().connection);
  assert.equal((await transfers.wait(transfer, 0, NEVER)).state, "running");
  work.end.resolve(RESULT);
  assert.equal((await transfers.wait(transfer, 60_000, NEVER)).state, "done");
});

Deno.test("progress is told, but not more often than anybody reads", async () => {
  let nowMs = 1_000;
  const transfers = new Transfers(() => nowMs);
  const { connection, events } = client();
  const work = job();
  const transfer = transfers.start(work.job, connection);
  const { onProgress } = await work.begun;
  for (let doneBytes = 0; doneBytes < 250; doneBytes++) {
    onProgress({ phase: "fetching", doneBytes, totalBytes: 250 });
    nowMs++;
  }
  assert.equal(events.length, 3);
  const { progress } = await transfers.wait(transfer, 0, NEVER);
  assert.equal(progress?.doneBytes, 249);
  work.end.resolve(RESULT);
  await transfers.wait(transfer, 60_000, NEVER);
});

Deno.test("a failure is told with its code, and so is a cancellation", async () => {
  const transfers = new Transfers(() => 0);
  const failing = job();
  const failed = transfers.start(failing.job, client().connection);
  failing.end.reject(new LocalError("damaged_file", "changed"));
  const state = await transfers.wait(failed, 60_000, NEVER);
  assert.deepEqual([state.state, state.error?.code], ["failed", "damaged_file"]);
  const cancelled = transfers.start(job().job, client().connection);
  assert.equal((await transfers.cancel(cancelled)).error?.code, "cancelled");
  await assert.rejects(transfers.cancel("unknown"), LocalError);
});

Deno.test("a transfer ends with the client that began it", async () => {
  const transfers = new Transfers(() => 0);
  const { connection, leave } = client();
  const transfer = transfers.start(job().job, connection);
  leave();
  const state = await transfers.wait(transfer, 60_000, NEVER);
  assert.deepEqual([state.state, state.error?.code], ["failed", "cancelled"]);
});

Deno.test("so many run at once and not one more; what has ended is forgotten in time", async () => {
  const transfers = new Transfers(() => 0);
  const { connection } = client();
  const running = Array.from({ length: 16 }, job);
  const ids = running.map((work) => transfers.start(work.job, connection));
  assert.throws(() => transfers.start(job().job, connection), LocalError);
  for (const work of running) work.end.resolve(RESULT);
  for (const id of ids) await transfers.wait(id, 60_000, NEVER);
  for (let count = 0; count < 64; count++) {
    const work = job();
    const id = transfers.start(work.job, connection);
    work.end.resolve(RESULT);
    await transfers.wait(id, 60_000, NEVER);
  }
  await assert.rejects(transfers.wait(ids[0]!, 0, NEVER), LocalError);
});
