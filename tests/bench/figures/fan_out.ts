/**
 * (c) One sender to 100 connected members: deliveries a second, and those of 100 durable consumers of JetStream.
 */
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import { boundedRow, type FigureResult, grouped, missingRow, plainRow } from "../figure.ts";
import { STREAM } from "../load/nats_consume.ts";
import type { FanOutResult } from "../load/order.ts";
import { dealt, runLoad } from "../load_process.ts";
import { type CommitUse, commitUse, growth, type LoopLag, loopLag } from "../metrics_text.ts";
import { costRows, lagRow, wrongRow } from "./rows.ts";

const RECIPIENTS = 100;
const PROCESSES = 3;
const WINDOW = 32;
const LEAD = 256;
const TARGET_PER_SECOND = 25_000;
const LIMIT_MS = 60_000;

interface FanOut {
  readonly deliveriesPerSecond: number;
  readonly messages: number;
  readonly wrong: number;
}

/** Measures the figure. */
export async function measureFanOut(run: BenchRun): Promise<FigureResult> {
  const sendMs = run.quick ? 3_000 : 8_000;
  const ours = await measureBroker(run, sendMs);
  const theirs = await measureNats(run, sendMs);
  const ratio = theirs === null ? null : ours.deliveriesPerSecond / theirs.deliveriesPerSecond;
  return {
    name: "fan_out",
    title: "(c) One sender to 100 connected members, 600 B",
    how:
      `One member broadcasts to \`*\` for ${
        sendMs / 1000
      } s, ${WINDOW} messages unacknowledged and at most ${LEAD} ` +
      `ahead of the slowest recipient of its own process; ${RECIPIENTS} recipients in ${PROCESSES} processes ` +
      `acknowledge. All deliveries, from the first send to the broker's answer to the last acknowledgement. ` +
      `JetStream: one subject, ${RECIPIENTS} durable consumers with explicit acknowledgement, the same processes.`,
    rows: [
      boundedRow(
        "deliveries, durable and acknowledged",
        ours.deliveriesPerSecond,
        { atLeast: TARGET_PER_SECOND },
        "/s",
      ),
      theirs === null
        ? missingRow("JetStream", "a peer", NO_NATS)
        : plainRow("JetStream", `${grouped(theirs.deliveriesPerSecond)}/s`),
      ratio === null
        ? missingRow("ratio to JetStream", "a peer", NO_NATS)
        : plainRow("ratio to JetStream", grouped(ratio, 2)),
      wrongRow(ours.wrong),
      lagRow(ours.lag),
      ...costRows(ours.usedMs, ours.messages * RECIPIENTS, "delivery", ours.commits),
    ],
    notes: [
      `${grouped(ours.messages)} messages, ${grouped(ours.messages * RECIPIENTS)} deliveries`,
    ],
    numbers: {
      deliveriesPerSecond: ours.deliveriesPerSecond,
      natsDeliveriesPerSecond: theirs?.deliveriesPerSecond ?? null,
      ratio,
    },
  };
}

async function measureBroker(
  run: BenchRun,
  sendMs: number,
): Promise<
  FanOut & { readonly lag: LoopLag; readonly commits: CommitUse; readonly usedMs: number }
> {
  const { meshId, members } = (await run.store()).mesh("fan_out");
  const [sender, ...recipients] = members;
  if (sender === undefined) throw new RangeError("the mesh has no members");
  return await withBroker(run, async (broker) => {
    const { socketUrl: url, child } = broker;
    const orders = dealt(recipients, PROCESSES).map((hand, index) => ({
      kind: "fan_out" as const,
      url,
      meshId,
      sender: index === 0 ? sender : null,
      recipients: hand,
      window: WINDOW,
      lead: LEAD,
      sendMs,
    }));
    let before = await broker.metrics();
    let usedMs = 0;
    const results = await runLoad(orders, sendMs + LIMIT_MS, {
      async before() {
        before = await broker.metrics();
        usedMs = -await child.processorMs();
      },
      async whileHeld() {
        usedMs += await child.processorMs();
      },
    });
    const after = await broker.metrics();
    const joined = join(results);
    const closed = growth(before, after, "broker_deliveries_acked_total");
    return {
      ...joined,
      wrong: joined.wrong + Math.abs(joined.messages * RECIPIENTS - closed),
      lag: loopLag(before, after),
      commits: commitUse(before, after),
      usedMs,
    };
  });
}

async function measureNats(run: BenchRun, sendMs: number): Promise<FanOut | null> {
  return await withNats(run, async (nats) => {
    const subject = `${STREAM}.fan`;
    const durables = Array.from({ length: RECIPIENTS }, (_, index) => `fan-${index}`);
    await nats.addConsumers(subject, durables);
    const orders = dealt(durables, PROCESSES).map((hand, index) => ({
      kind: "nats_fan_out" as const,
      port: nats.port,
      subject: index === 0 ? subject : null,
      durables: hand,
      window: WINDOW,
      lead: LEAD,
      sendMs,
    }));
    return join(await runLoad(orders, sendMs + LIMIT_MS));
  });
}

function join(results: readonly FanOutResult[]): FanOut {
  const firstSendAtMs = results.find((each) => each.firstSendAtMs !== null)?.firstSendAtMs;
  if (firstSendAtMs === undefined || firstSendAtMs === null) throw new Error("nobody sent");
  const tookMs = Math.max(...results.map((each) => each.lastAckedAtMs)) - firstSendAtMs;
  const messages = results.reduce((sum, each) => sum + each.sent, 0);
  const delivered = results.reduce((sum, each) => sum + each.delivered, 0);
  const wrong = results.reduce((sum, each) => sum + each.wrong + each.refused, 0);
  return {
    deliveriesPerSecond: delivered / tookMs * 1000,
    messages,
    wrong: wrong + Math.abs(messages * RECIPIENTS - delivered),
  };
}
