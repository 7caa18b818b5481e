/** When a session's status is told to its meshes. The mesh is a fake that takes or refuses calls. */
import assert from "node:assert/strict";
import { LocalError } from "../core/local_error.ts";
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import type { AgentLog } from "./agent_log.ts";
import { type Session, Sessions } from "./sessions.ts";
import { StatusReporter } from "./status_reporter.ts";

const LOG: AgentLog = { info() {}, warn() {}, error() {} };
const SINK = { emit() {} };

class World {
  readonly calls: [status: string, source: string][] = [];
  nowMs = 1_000_000;
  refuses = false;
  readonly sessions = new Sessions();
  readonly session: Session;
  readonly reporter: StatusReporter;

  constructor(transcriptPath?: string) {
    const call = (_op: unknown, input: { status: string; source: string }) => {
      if (this.refuses) return Promise.reject(new LocalError("offline", "not connected"));
      this.calls.push([input.status, input.source]);
      return Promise.resolve({ status: input.status });
    };
    const peer = { mesh: { meshId: "mesh1", slug: "team" }, call } as unknown as MeshPeerApi;
    const params = { sessionId: "s", pid: 1, cwd: "/" };
    const attach = transcriptPath === undefined ? params : { ...params, transcriptPath };
    this.session = this.sessions.attach(attach, SINK, "push").session;
    this.reporter = new StatusReporter(this.sessions, () => [peer], LOG, () => this.nowMs);
  }

  hook(status: "idle" | "working"): void {
    Object.assign(this.session.activity, { status, source: "hook", lastHookAtMs: this.nowMs });
    this.reporter.report(this.session);
  }
}

async function inWorld(
  run: (world: World) => Promise<void> | void,
  transcriptPath?: string,
): Promise<void> {
  const world = new World(transcriptPath);
  try {
    await run(world);
  } finally {
    world.reporter.stop();
  }
}

Deno.test("a burst of hooks tells the mesh once, a change at once", () =>
  inWorld((world) => {
    for (let count = 0; count < 5; count++) world.hook("working");
    world.hook("idle");
    world.hook("idle");
    assert.deepEqual(world.calls, [["working", "hook"], ["idle", "hook"]]);
  }));

Deno.test("working is told again while it lasts, idle is not", () =>
  inWorld(async (world) => {
    world.hook("working");
    world.nowMs += 19_000;
    await world.reporter.refresh();
    assert.equal(world.calls.length, 1);
    world.nowMs += 2_000;
    await world.reporter.refresh();
    assert.equal(world.calls.length, 2);
    world.hook("idle");
    world.nowMs += 3_600_000;
    await world.reporter.refresh();
    assert.equal(world.calls.length, 3);
  }));

Deno.test("what a mesh did not take is told when it is reached again", () =>
  inWorld(async (world) => {
    world.refuses = true;
    world.hook("working");
    await Promise.resolve();
    world.refuses = false;
    assert.deepEqual(world.calls, []);
    world.reporter.meshReached("mesh1");
    assert.deepEqual(world.calls, [["working", "hook"]]);
    world.reporter.meshReached("another");
    assert.equal(world.calls.length, 1, "nothing new for a mesh that was told");
  }));

Deno.test("nothing is told of a session of which nothing is known", () =>
  inWorld(async (world) => {
    await world.reporter.refresh();
    assert.deepEqual(world.calls, []);
  }));

Deno.test("the transcript speaks only where no hook has spoken lately", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(
    path,
    `${JSON.stringify({ type: "user", message: { content: "go" } })}\n`,
  );
  try {
    await inWorld(async (world) => {
      world.nowMs = Date.now();
      world.hook("idle");
      await world.reporter.refresh();
      assert.deepEqual(world.calls, [["idle", "hook"]]);
      world.nowMs += 31_000;
      await world.reporter.refresh();
      assert.deepEqual(world.calls.at(-1), ["working", "jsonl"]);
    }, path);
  } finally {
    await Deno.remove(path);
  }
});
