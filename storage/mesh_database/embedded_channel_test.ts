/** The process of an embedded database: it is ended whatever it is doing, and never outlives the broker. */
import assert from "node:assert/strict";
import { serialize } from "node:v8";
import { openEmbedded } from "../../tests/support/mesh_databases.ts";
import { threadNiceness } from "../../tests/support/thread_niceness.ts";
import { SqlError } from "../sql/port.ts";
import { EmbeddedChannel } from "./embedded_channel.ts";
import { embeddedCommand } from "./embedded_command.ts";
import type { EmbeddedCommand } from "./embedded_messages.ts";
import { frameOf } from "./frame_stream.ts";

const OPEN_TIMEOUT_MS = 60_000;
const BOUNDS = { timeoutMs: 10_000, maxRows: 10, maxBytes: 10_000, skipRows: 0 };
/** No statement of PostgreSQL's notices a signal here: there are none. */
const ENDLESS = "DO $$ BEGIN LOOP END LOOP; END $$";

function statement(text: string): EmbeddedCommand & { kind: "run" } {
  return { kind: "run", sql: { text, readOnly: false, bounds: BOUNDS } };
}

function options(folder: string, template: string | null) {
  return { folder: `${folder}/mesh/pg`, template, schema: "meshdb_mesh", diskBytes: 1e8 };
}

async function opened(folder: string, template: string | null): Promise<EmbeddedChannel> {
  const channel = new EmbeddedChannel();
  await channel.request({ kind: "open", options: options(folder, template) }, OPEN_TIMEOUT_MS);
  return channel;
}

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("an endless statement runs at low priority and is over when its time is, with its process", async () => {
  await using test = await openEmbedded();
  const channel = await opened(test.folder, `${test.folder}/template`);
  await channel.request(statement("CREATE TABLE kept (n int)"), 10_000);
  await channel.request(statement("INSERT INTO kept VALUES (1)"), 10_000);
  if (Deno.build.os === "linux") {
    assert.deepEqual(new Set(threadNiceness(channel.pid)), new Set([5, 10]));
  }
  await assert.rejects(
    channel.request(statement(ENDLESS), 300),
    (error) => error instanceof SqlError && error.kind === "timeout",
  );
  assert.equal(channel.isAlive, false);
  await channel.gone;
  assert.equal(isRunning(channel.pid), false);
  const next = await opened(test.folder, null);
  const { rows } = await next.request(statement("SELECT n FROM kept"), 10_000);
  assert.deepEqual(rows, [[1]]);
  await next.terminate();
});

Deno.test("a second process waits until the first one is gone", async () => {
  await using test = await openEmbedded();
  const startedMs = performance.now();
  const first = await opened(test.folder, `${test.folder}/template`);
  const tookMs = performance.now() - startedMs;
  await first.request(statement("CREATE TABLE kept (n int)"), 10_000);
  const secondMs = performance.now();
  const second = new EmbeddedChannel();
  let isOpen = false;
  const opening = second.request({ kind: "open", options: options(test.folder, null) }, 60_000)
    .then(() => isOpen = true);
  let rowCount = 0;
  while (performance.now() < secondMs + 2 * tookMs) {
    await first.request(statement("INSERT INTO kept VALUES (1)"), 10_000);
    rowCount++;
  }
  assert.equal(isOpen, false);
  await first.terminate();
  await opening;
  const { rows } = await second.request(statement("SELECT count(*) FROM kept"), 10_000);
  assert.deepEqual(rows, [[rowCount]]);
  await second.terminate();
});

Deno.test("a process that ends by itself answers what it was asked as unavailable", async () => {
  const channel = new EmbeddedChannel();
  const asked = channel.request({ kind: "maintain" }, 60_000);
  Deno.kill(channel.pid, "SIGKILL");
  await assert.rejects(asked, /ended by itself \(SIGKILL\)/);
  await channel.gone;
  await assert.rejects(channel.request({ kind: "maintain" }, 1_000), /ended by itself/);
});

Deno.test("a process whose broker is gone ends, in the middle of an endless statement", async () => {
  await using test = await openEmbedded();
  const { program, args } = embeddedCommand();
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const open = { kind: "open", options: options(test.folder, `${test.folder}/template`) } as const;
  await writer.write(frameOf(serialize(open)));
  const reader = child.stdout.getReader();
  assert.equal((await reader.read()).done, false);
  await writer.write(frameOf(serialize(statement(ENDLESS))));
  // What the system does with the pipes of a process that was killed.
  await writer.close();
  assert.equal((await child.status).success, true);
  await reader.cancel();
});
