/**
 * (a) Direct messages: how many a second are committed, delivered and acknowledged, and what JetStream acknowledges.
 */
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import type { BrokerProcess } from "../broker_process.ts";
import { boundedRow, type FigureResult, grouped, missingRow, plainRow } from "../figure.ts";
import type { RateResult } from "../load/order.ts";
import type { BenchMesh } from "../bench_store.ts";
import { dealt, runLoad } from "../load_process.ts";
import { commitUse, growth, loopLag } from "../metrics_text.ts";
import { STREAM } from "../load/nats_consume.ts";
import { median } from "../samples.ts";
import { costRows, lagRow, wrongRow } from "./rows.ts";

const PAIRS = 10;
const WINDOW = 32;
const PROCESSES = 3;
const TARGET_PER_SECOND = 10_000;
const TARGET_RATIO = 0.5;

interface Times {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

interface Round {
  readonly deliveredPerSecond: number;
  readonly wrong: number;
  readonly usedMs: number;
  readonly deliveredInAll: number;
}

/** Measures the figure: rounds of JetStream and the broker in turn, medians of each. */
export async function measureDirect(run: BenchRun): Promise<FigureResult> {
  const times: Times = run.quick
    ? { warmUpMs: 2_000, measureMs: 3_000 }
    : { warmUpMs: 3_000, measureMs: 6_000 };
  const rounds = run.quick ? 1 : 3;
  const mesh = (await run.store()).mesh("pairs");
  const measured: Round[] = [];
  const peer: number[] = [];
  const { lag, commits } = await withBroker(run, async (broker) => {
    const before = await broker.metrics();
    for (let round = 0; round < rounds; round += 1) {
      const acknowledged = await measureNats(run, times);
      if (acknowledged !== null) peer.push(acknowledged);
      measured.push(await measureBroker(broker, mesh, times));
    }
    const after = await broker.metrics();
    return { lag: loopLag(before, after), commits: commitUse(before, after) };
  });
  const total = (count: (round: Round) => number) =>
    measured.reduce((sum, each) => sum + count(each), 0);
  const ours = median(measured.map((each) => each.deliveredPerSecond));
  const theirs = peer.length === 0 ? null : median(peer);
  const ratio = theirs === null ? null : ours / theirs;
  return {
    name: "direct",
    title: "(a) Direct messages, 10 pairs, window 32, 600 B",
    how:
      `${PROCESSES} load processes hold ${PAIRS} senders and ${PAIRS} recipients, a connection each. Every sender ` +
      `keeps ${WINDOW} unacknowledged messages under way; the broker answers after the commit is on disk; recipients ` +
      `acknowledge in batches per turn of their event loop. Deliveries are counted at the recipients over ` +
      `${times.measureMs / 1000} s after ${
        times.warmUpMs / 1000
      } s of warm-up. JetStream: as many publishers with ` +
      `as many messages under way in as many processes, file storage, its default of no fsync per message; ` +
      `publish acknowledgements are counted, nobody consumes. ${
        rounds === 1 ? "One round of each." : `${rounds} rounds of each in turn, medians.`
      }`,
    rows: [
      boundedRow("delivered and acknowledged", ours, { atLeast: TARGET_PER_SECOND }, "/s"),
      theirs === null
        ? missingRow("JetStream acknowledges", "a peer", NO_NATS)
        : plainRow("JetStream acknowledges", `${grouped(theirs)}/s`),
      ratio === null
        ? missingRow("ratio to JetStream", `at least ${TARGET_RATIO}`, NO_NATS)
        : boundedRow("ratio to JetStream", ratio, { atLeast: TARGET_RATIO }, "", 2),
      wrongRow(total((round) => round.wrong)),
      lagRow(lag),
      ...costRows(
        total((round) => round.usedMs),
        total((round) => round.deliveredInAll),
        "message",
        commits,
      ),
    ],
    notes: [
      `rounds: broker ${
        perSecondList(measured.map((each) => each.deliveredPerSecond))
      }; JetStream ${peer.length === 0 ? "none" : perSecondList(peer)}`,
    ],
    numbers: { deliveredPerSecond: ours, natsAcknowledgedPerSecond: theirs, ratio },
  };
}

async function measureBroker(
  broker: BrokerProcess,
  mesh: BenchMesh,
  times: Times,
): Promise<Round> {
  const pairs = Array.from({ length: PAIRS }, (_, index) => {
    const [sender, recipient] = [mesh.members[2 * index], mesh.members[2 * index + 1]];
    if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
    return { sender, recipient };
  });
  const { socketUrl: url, child } = broker;
  const before = await broker.metrics();
  const orders = dealt(pairs, PROCESSES).map((hand) => ({
    kind: "pairs" as const,
    url,
    meshId: mesh.meshId,
    pairs: hand,
    window: WINDOW,
    ...times,
  }));
  const usedBefore = await child.processorMs();
  const results = await runLoad(orders, times.warmUpMs + times.measureMs + 30_000);
  const usedMs = await child.processorMs() - usedBefore;
  const inAll = results.reduce((sum, each) => sum + each.deliveredInAll, 0);
  const closed = growth(before, await broker.metrics(), "broker_deliveries_acked_total");
  return {
    deliveredPerSecond: perSecond(results, (result) => result.delivered),
    // What the broker did not close was not acknowledged, whatever the recipients think.
    wrong: results.reduce((sum, each) => sum + each.wrong + each.refused, 0) +
      Math.abs(inAll - closed),
    usedMs,
    deliveredInAll: inAll,
  };
}

async function measureNats(run: BenchRun, times: Times): Promise<number | null> {
  const subjects = Array.from({ length: PAIRS }, (_, index) => `${STREAM}.pair.${index}`);
  return await withNats(run, async ({ port }) => {
    const orders = dealt(subjects, PROCESSES).map((hand) => ({
      kind: "nats_publish" as const,
      port,
      subjects: hand,
      window: WINDOW,
      ...times,
    }));
    const results = await runLoad(orders, times.warmUpMs + times.measureMs + 30_000);
    return perSecond(results, (result) => result.acknowledged);
  });
}

function perSecond(
  results: readonly RateResult[],
  count: (result: RateResult) => number,
): number {
  return results.reduce((sum, each) => sum + count(each) / each.tookMs * 1000, 0);
}

function perSecondList(rates: readonly number[]): string {
  return rates.map((rate) => `${grouped(rate)}/s`).join(", ");
}
