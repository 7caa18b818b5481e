/**
 * (e) 5,000 messages queued for a member that is away: how long it takes when it comes back.
 */
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import { boundedRow, type FigureResult, grouped, missingRow, plainRow } from "../figure.ts";
import { STREAM } from "../load/nats_consume.ts";
import type { DrainResult } from "../load/order.ts";
import { runLoad } from "../load_process.ts";
import { growth, type LoopLag, loopLag } from "../metrics_text.ts";
import { NatsProcess } from "../nats_process.ts";
import { lagRow, wrongRow } from "./rows.ts";

const MESSAGES = 5_000;
const WINDOW = 64;
const TARGET_SECONDS = 1;
const LIMIT_MS = 60_000;

/** Measures the figure. */
export async function measureDrain(run: BenchRun): Promise<FigureResult> {
  const ours = await measureBroker(run);
  const theirs = await measureNats(run);
  return {
    name: "drain",
    title: "(e) 5,000 messages queued for an offline member, 600 B",
    how:
      `A member sends ${
        grouped(MESSAGES)
      } direct messages to one that is not connected. Then that one connects: ` +
      `from the start of its connection (TCP, upgrade, hello) to the broker's answer to its last acknowledgement. ` +
      `JetStream: a durable consumer with explicit acknowledgement that comes back to as many messages.`,
    rows: [
      boundedRow("drained within", ours.tookMs / 1000, { atMost: TARGET_SECONDS }, " s", 3),
      plainRow("of which after the hello", `${grouped(ours.sinceHelloMs / 1000, 3)} s`),
      theirs === null
        ? missingRow("JetStream", "a peer", NO_NATS)
        : plainRow("JetStream", `${grouped(theirs.tookMs / 1000, 3)} s`),
      wrongRow(ours.lost),
      lagRow(ours.lag),
    ],
    notes: [],
    numbers: { seconds: ours.tookMs / 1000, natsSeconds: theirs && theirs.tookMs / 1000 },
  };
}

async function measureBroker(
  run: BenchRun,
): Promise<DrainResult & { readonly lost: number; readonly lag: LoopLag }> {
  const { meshId, members: [sender, recipient] } = (await run.store()).mesh("drain");
  if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
  return await withBroker(run, async (broker) => {
    const at = { url: broker.socketUrl, meshId };
    const pair = { sender, recipient };
    const fill = { kind: "queue" as const, ...at, pair, window: WINDOW, messages: MESSAGES };
    const [filled] = await runLoad([fill], LIMIT_MS);
    const before = await broker.metrics();
    const order = { kind: "drain" as const, ...at, recipient, messages: MESSAGES };
    const [drained] = await runLoad([order], LIMIT_MS);
    if (filled === undefined || drained === undefined) throw new Error("a result is missing");
    const after = await broker.metrics();
    const closed = growth(before, after, "broker_deliveries_acked_total");
    const lost = filled.refused + drained.wrong + Math.abs(MESSAGES - drained.received) +
      Math.abs(MESSAGES - closed);
    return { ...drained, lost, lag: loopLag(before, after) };
  });
}

async function measureNats(run: BenchRun): Promise<DrainResult | null> {
  return await withNats(run, async (nats: NatsProcess) => {
    const subject = `${STREAM}.queue`;
    await nats.addConsumers(subject, ["queue"]);
    await nats.publish(subject, MESSAGES);
    const [drained] = await runLoad(
      [{ kind: "nats_drain" as const, port: nats.port, durable: "queue", messages: MESSAGES }],
      LIMIT_MS,
    );
    return drained ?? null;
  });
}
