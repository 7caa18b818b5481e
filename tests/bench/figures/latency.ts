/**
 * (b) Push latency of one pair at a calm rate, and JetStream's.
 */
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import { boundedRow, type FigureResult, grouped, missingRow, plainRow } from "../figure.ts";
import { STREAM } from "../load/nats_consume.ts";
import { runLoad } from "../load_process.ts";
import { percentile } from "../samples.ts";

const PER_SECOND = 20;
const WARM_UP_MESSAGES = 20;
const TARGET_P50_MS = 3;
const TARGET_P99_MS = 15;
const LIMIT_MS = 60_000;

/** Measures the figure. */
export async function measureLatency(run: BenchRun): Promise<FigureResult> {
  const messages = run.quick ? 100 : 400;
  const pace = { perSecond: PER_SECOND, warmUpMessages: WARM_UP_MESSAGES, messages };
  const ours = await measureBroker(run, pace);
  const theirs = await measureNats(run, pace);
  const [p50, p99] = [percentile(ours, 0.5), percentile(ours, 0.99)];
  const peer = theirs === null ? null : [percentile(theirs, 0.5), percentile(theirs, 0.99)];
  return {
    name: "latency",
    title: "(b) Push latency, one pair at 20 messages/s, 600 B",
    how:
      `Sender and recipient are two connections of one load process, so that one clock measures: from the call of ` +
      `send to the delivery in the recipient's handler, commit included. ${messages} messages after ` +
      `${WARM_UP_MESSAGES} of warm-up. JetStream: publish to a durable consumer with explicit acknowledgement, ` +
      `file storage, no fsync per message.`,
    rows: [
      boundedRow("p50", p50, { atMost: TARGET_P50_MS }, " ms", 2),
      boundedRow("p99", p99, { atMost: TARGET_P99_MS }, " ms", 2),
      plainRow("longest", `${grouped(percentile(ours, 1), 2)} ms`),
      peer === null
        ? missingRow("JetStream p50, p99", "a peer", NO_NATS)
        : plainRow("JetStream p50, p99", peer.map((ms) => `${grouped(ms ?? 0, 2)} ms`).join(", ")),
    ],
    notes: [],
    numbers: {
      p50Ms: p50,
      p99Ms: p99,
      natsP50Ms: peer?.[0] ?? null,
      natsP99Ms: peer?.[1] ?? null,
    },
  };
}

interface Pace {
  readonly perSecond: number;
  readonly warmUpMessages: number;
  readonly messages: number;
}

async function measureBroker(run: BenchRun, pace: Pace): Promise<readonly number[]> {
  const { meshId, members: [sender, recipient] } = (await run.store()).mesh("pace");
  if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
  return await withBroker(run, async ({ socketUrl: url }) => {
    const [result] = await runLoad(
      [{ kind: "pace" as const, url, meshId, pair: { sender, recipient }, ...pace }],
      LIMIT_MS,
    );
    return result?.latenciesMs ?? [];
  });
}

async function measureNats(run: BenchRun, pace: Pace): Promise<readonly number[] | null> {
  return await withNats(run, async (nats) => {
    const subject = `${STREAM}.pace`;
    await nats.addConsumers(subject, ["pace"]);
    const { port } = nats;
    const [result] = await runLoad(
      [{ kind: "nats_pace" as const, port, subject, durable: "pace", ...pace }],
      LIMIT_MS,
    );
    return result?.latenciesMs ?? [];
  });
}
