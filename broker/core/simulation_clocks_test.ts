/** Simulated time on a clock that stands still until it is told to go on. */
import assert from "node:assert/strict";
import type { SqlStatement } from "../../storage/sql/port.ts";
import { FakeClock } from "../../tests/sim/fake_clock.ts";
import { MeshError } from "../api/errors.ts";
import type { Connection, Mesh } from "./model.ts";
import { SimulationClocks, TICK_MS } from "./simulation_clocks.ts";

const START_MS = Date.UTC(2026, 10, 21);
const AUDIT = { event: "clock_set", actor: null, payload: {} };

/** A clock of one mesh, with a store that keeps its last row. */
function stage() {
  const clock = new FakeClock(START_MS);
  let steppedMs = 0;
  let row: readonly unknown[] | null = null;
  let broken = false;
  let changes = 0;
  const errors: unknown[] = [];
  const mesh = { id: "mesh1", connections: new Set<Connection>() } as unknown as Mesh;
  const make = () =>
    new SimulationClocks({
      sql: {
        query<Row extends object>(): Promise<Row[]> {
          if (row === null) return Promise.resolve([]);
          const [, speed, paused, simAt, startedAt] = row;
          return Promise.resolve([{ speed, paused, simAt, startedAt } as unknown as Row]);
        },
      },
      ledger: {
        append({ statements }: { statements: readonly SqlStatement[] }) {
          if (broken) return Promise.reject(new MeshError("unavailable", "the store is away"));
          row = statements[0]!.params!;
          return Promise.resolve();
        },
      },
      clock: { now: () => clock.now() + steppedMs, after: clock.after.bind(clock) },
      changed: () => changes += 1,
      onError: (error) => errors.push(error),
    });
  const peer = {} as Connection;
  return {
    clock,
    mesh,
    make,
    errors,
    changes: () => changes,
    step: (byMs: number) => steppedMs += byMs,
    break: (value: boolean) => broken = value,
    come(clocks: SimulationClocks) {
      mesh.connections.add(peer);
      clocks.peersChanged(mesh);
    },
    leave(clocks: SimulationClocks) {
      mesh.connections.delete(peer);
      clocks.peersChanged(mesh);
    },
  };
}

Deno.test("it passes at its speed from real time on, and ticks each simulated minute", async () => {
  const { clock, mesh, make, come } = stage();
  const clocks = make();
  assert.equal(clocks.status(mesh), null);
  come(clocks);
  await clocks.setSpeed(mesh, 10, AUDIT);
  assert.equal(clocks.untilNextTick(), TICK_MS / 10);
  assert.equal(await clocks.tick(mesh), null);
  await clock.advance(TICK_MS / 10);
  assert.equal(await clocks.tick(mesh), 1);
  assert.equal(await clocks.tick(mesh), null);
  await clock.advance(30_000);
  assert.equal(clocks.status(mesh)?.tick, 6);
  assert.equal(clocks.status(mesh)?.simTime, "2026-11-21T00:06:00.000Z");
  assert.equal(await clocks.tick(mesh), 6);
});

Deno.test("a change of speed keeps what has passed; a pause stops it until it is resumed", async () => {
  const { clock, mesh, make, come } = stage();
  const clocks = make();
  come(clocks);
  await clocks.setSpeed(mesh, 100, AUDIT);
  await clock.advance(3_000);
  await clocks.setSpeed(mesh, 1, AUDIT);
  await clock.advance(60_000);
  await clocks.setPaused(mesh, true, AUDIT);
  await clock.advance(60_000);
  assert.equal(clocks.untilNextTick(), null);
  assert.deepEqual([...clocks.running()], []);
  assert.equal(clocks.now(mesh), START_MS + 300_000 + 60_000);
  await clocks.setSpeed(mesh, 2, AUDIT);
  assert.equal(clocks.status(mesh)?.state, "paused");
  await clocks.setPaused(mesh, false, AUDIT);
  await clock.advance(1_000);
  assert.equal(clocks.now(mesh), START_MS + 360_000 + 2_000);
});

Deno.test("it stands while nobody is there and goes on when somebody comes back", async () => {
  const { clock, mesh, make, come, leave } = stage();
  const clocks = make();
  come(clocks);
  await clocks.setSpeed(mesh, 1, AUDIT);
  await clock.advance(10_000);
  leave(clocks);
  await clock.advance(3_600_000);
  assert.equal(clocks.now(mesh), START_MS + 10_000);
  come(clocks);
  await clock.advance(5_000);
  assert.equal(clocks.now(mesh), START_MS + 15_000);
  await clocks.setPaused(mesh, true, AUDIT);
  leave(clocks);
  come(clocks);
  assert.equal(clocks.status(mesh)?.state, "paused");
});

Deno.test("after a restart it goes on from where it stood, without the time in between", async () => {
  const { clock, mesh, make, come, leave } = stage();
  const before = make();
  come(before);
  await before.setSpeed(mesh, 60, AUDIT);
  await clock.advance(2_500);
  leave(before);
  await before.flush();
  await clock.advance(86_400_000);
  const after = make();
  await after.load(mesh);
  assert.equal(after.now(mesh), START_MS + 150_000);
  come(after);
  assert.equal(await after.tick(mesh), null);
  await clock.advance(500);
  assert.equal(await after.tick(mesh), 3);
});

Deno.test("after a crash no tick is told again", async () => {
  const { clock, mesh, make, come } = stage();
  const before = make();
  come(before);
  await before.setSpeed(mesh, 1, AUDIT);
  await clock.advance(60_000);
  assert.equal(await before.tick(mesh), 1);
  await clock.advance(59_000);
  const after = make();
  await after.load(mesh);
  come(after);
  assert.equal(after.untilNextTick(), 60_000);
  await clock.advance(60_000);
  assert.equal(await after.tick(mesh), 2);
});

Deno.test("a step of the system's clock is no simulated day", async () => {
  const { clock, mesh, make, come, step } = stage();
  const clocks = make();
  come(clocks);
  await clocks.setSpeed(mesh, 1, AUDIT);
  step(86_400_000);
  assert.ok(clocks.now(mesh)! <= START_MS + 120_000);
  await clocks.tick(mesh);
  const at = clocks.now(mesh)!;
  step(-86_400_000);
  assert.equal(clocks.now(mesh), at);
  await clocks.tick(mesh);
  await clock.advance(1_000);
  assert.equal(clocks.now(mesh), at + 1_000);
});

Deno.test("what cannot be stored does not happen, and a tick that cannot is told later", async () => {
  const { clock, mesh, make, come, break: setBroken, errors, leave } = stage();
  const clocks = make();
  come(clocks);
  setBroken(true);
  await assert.rejects(clocks.setSpeed(mesh, 5, AUDIT), /the store is away/);
  assert.equal(clocks.status(mesh), null);
  setBroken(false);
  await clocks.setSpeed(mesh, 5, AUDIT);
  setBroken(true);
  await assert.rejects(clocks.setPaused(mesh, true, AUDIT));
  assert.equal(clocks.status(mesh)?.state, "running");
  await clock.advance(12_000);
  await assert.rejects(clocks.tick(mesh));
  setBroken(false);
  assert.equal(await clocks.tick(mesh), 1);
  setBroken(true);
  leave(clocks);
  await clocks.flush();
  assert.equal(errors.length, 1);
});
