/**
 * (d) 1,000 connections of one mesh: how long until all are there, and what they cost the broker.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import type { Child } from "../child.ts";
import { boundedRow, type FigureResult, grouped, missingRow, plainRow } from "../figure.ts";
import type { CrowdResult } from "../load/order.ts";
import { dealt, runLoad } from "../load_process.ts";
import { type LoopLag, loopLag } from "../metrics_text.ts";
import { lagRow } from "./rows.ts";

const CONNECTIONS = 1_000;
const PROCESSES = 2;
const CONCURRENCY = 32;
const TARGET_MIB = 60;
const TARGET_SECONDS = 10;
const SETTLE_MS = 3_000;
const LIMIT_MS = 60_000;

interface Crowd {
  readonly connected: number;
  readonly seconds: number;
  readonly grownMib: number;
  readonly failures: readonly string[];
}

/** Measures the figure. */
export async function measureCrowd(run: BenchRun): Promise<FigureResult> {
  const ours = await measureBroker(run);
  const theirs = await measureNats(run);
  return {
    name: "crowd",
    title: "(d) 1,000 connections of one mesh",
    how:
      `${CONNECTIONS} members with a connection each, from ${PROCESSES} processes with ${CONCURRENCY} hellos under ` +
      `way in each, until the last hello is answered. Memory: the broker's resident set ${
        SETTLE_MS / 1000
      } s ` +
      `after that, less what it was with one connection of another mesh; the mesh itself is read meanwhile. ` +
      `NATS: as many clients with a subscription each.`,
    rows: [
      boundedRow("connected", ours.connected, { atLeast: CONNECTIONS }, ""),
      boundedRow("until all are connected", ours.seconds, { atMost: TARGET_SECONDS }, " s", 2),
      boundedRow("more memory of the broker", ours.grownMib, { atMost: TARGET_MIB }, " MiB", 1),
      theirs === null
        ? missingRow("NATS", "a peer", NO_NATS)
        : plainRow("NATS", `${grouped(theirs.seconds, 2)} s, ${grouped(theirs.grownMib, 1)} MiB`),
      lagRow(ours.lag),
    ],
    notes: ours.failures.slice(0, 3),
    numbers: {
      connected: ours.connected,
      seconds: ours.seconds,
      grownMib: ours.grownMib,
      natsSeconds: theirs?.seconds ?? null,
      natsGrownMib: theirs?.grownMib ?? null,
    },
  };
}

async function measureBroker(run: BenchRun): Promise<Crowd & { readonly lag: LoopLag }> {
  const store = await run.store();
  const mesh = store.mesh("crowd");
  const warmUp = store.mesh("warm_up");
  return await withBroker(run, async (broker) => {
    const { socketUrl: url, child } = broker;
    const order = { kind: "crowd" as const, url, concurrency: CONCURRENCY };
    await runLoad([{ ...order, ...warmUp }], LIMIT_MS);
    const before = await broker.metrics();
    const orders = dealt(mesh.members, PROCESSES).map((members) => ({
      ...order,
      meshId: mesh.meshId,
      members,
    }));
    const crowd = await grow(child, (held) => runLoad(orders, LIMIT_MS, held));
    return { ...crowd, lag: loopLag(before, await broker.metrics()) };
  });
}

async function measureNats(run: BenchRun): Promise<Crowd | null> {
  return await withNats(run, async (nats) => {
    const order = { kind: "nats_crowd" as const, port: nats.port, concurrency: CONCURRENCY };
    await runLoad([{ ...order, connections: 1 }], LIMIT_MS);
    const orders = Array.from({ length: PROCESSES }, () => ({
      ...order,
      connections: CONNECTIONS / PROCESSES,
    }));
    return await grow(nats.child, (held) => runLoad(orders, LIMIT_MS, held));
  });
}

async function grow(
  child: Child,
  load: (held: { whileHeld: () => Promise<void> }) => Promise<CrowdResult[]>,
): Promise<Crowd> {
  await pause(SETTLE_MS);
  const before = await child.residentBytes();
  let after = before;
  const results = await load({
    async whileHeld() {
      await pause(SETTLE_MS);
      after = await child.residentBytes();
    },
  });
  return {
    connected: results.reduce((sum, each) => sum + each.connected, 0),
    seconds: Math.max(...results.map((each) => each.tookMs)) / 1000,
    grownMib: (after - before) / 1_048_576,
    failures: results.flatMap((each) => each.failures),
  };
}
