/**
 * (a) Direct messages: how many a second are committed, delivered and acknowledged, and what JetStream acknowledges.
 */
import { type BenchRun, NO_NATS, withBroker, withNats } from "../bench_run.ts";
import type { BrokerProcess } from "../broker_process.ts";
import {
  boundedRow,
  type FigureResult,
  type FigureRow,
  grouped,
  missingRow,
  plainRow,
} from "../figure.ts";
import type { RateResult } from "../load/order.ts";
import type { BenchMesh } from "../bench_store.ts";
import { dealt, runLoad } from "../load_process.ts";
import { commitUse, growth, growthInAll, loopLag, type MetricsText } from "../metrics_text.ts";
import { STREAM } from "../load/nats_consume.ts";
import { median } from "../samples.ts";
import { costRows, lagRow, wrongRow } from "./rows.ts";

const PAIRS = 10;
const WINDOW = 32;
/** The targets speak of both sides driven from one process; with several, the clients have more processor. */
const MANY_PROCESSES = 3;
const TARGET_PER_SECOND = 10_000;
const TARGET_RATIO = 0.5;

interface Times {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** How a round is driven. */
interface Drive extends Times {
  readonly processes: number;
}

interface Round {
  readonly deliveredPerSecond: number;
  readonly wrong: number;
  readonly usedMs: number;
  readonly deliveredInAll: number;
  /** The broker's metrics before and after it. */
  readonly pages: readonly [MetricsText, MetricsText];
}

const NO_METRICS: MetricsText = new Map();

/** Rounds of the broker and of JetStream, driven by as many processes each. */
interface Side {
  readonly rounds: Round[];
  readonly peer: number[];
}

/** Measures the figure: rounds of JetStream and the broker in turn, medians of each. */
export async function measureDirect(run: BenchRun): Promise<FigureResult> {
  const times: Times = run.quick
    ? { warmUpMs: 3_000, measureMs: 3_000 }
    : { warmUpMs: 4_000, measureMs: 6_000 };
  const rounds = run.quick ? 1 : 3;
  const mesh = (await run.store()).mesh("pairs");
  const one: Side = { rounds: [], peer: [] };
  const many: Side = { rounds: [], peer: [] };
  await withBroker(run, async (broker) => {
    await measureBroker(broker, mesh, { ...times, processes: 1 });
    for (let round = 0; round < rounds; round += 1) {
      await measureBoth(run, broker, mesh, { ...times, processes: 1 }, one);
    }
    if (!run.quick) {
      await measureBoth(run, broker, mesh, { ...times, processes: MANY_PROCESSES }, many);
    }
  });
  // Only what happened while the broker was asked: JetStream's rounds leave it little of the machine.
  const grown = growthInAll(one.rounds.map((round) => round.pages));
  const total = (count: (round: Round) => number) =>
    one.rounds.reduce((sum, each) => sum + count(each), 0);
  const ours = median(rates(one));
  const theirs = one.peer.length === 0 ? null : median(one.peer);
  const ratio = theirs === null ? null : ours / theirs;
  return {
    name: "direct",
    title: "(a) Direct messages, 10 pairs, window 32, 600 B",
    how: howItIsMeasured(times, rounds),
    rows: [
      boundedRow("delivered and acknowledged", ours, { atLeast: TARGET_PER_SECOND }, "/s"),
      theirs === null
        ? missingRow("JetStream acknowledges", "a peer", NO_NATS)
        : plainRow("JetStream acknowledges", `${grouped(theirs)}/s`),
      ratio === null
        ? missingRow("ratio to JetStream", `at least ${TARGET_RATIO}`, NO_NATS)
        : boundedRow("ratio to JetStream", ratio, { atLeast: TARGET_RATIO }, "", 2),
      ...manyRows(many),
      wrongRow([...one.rounds, ...many.rounds].reduce((sum, each) => sum + each.wrong, 0)),
      lagRow(loopLag(NO_METRICS, grown)),
      ...costRows(
        total((round) => round.usedMs),
        total((round) => round.deliveredInAll),
        "message",
        commitUse(NO_METRICS, grown),
      ),
    ],
    notes: [
      `rounds: broker ${perSecondList(rates(one))}; JetStream ${
        one.peer.length === 0 ? "none" : perSecondList(one.peer)
      }`,
    ],
    numbers: { deliveredPerSecond: ours, natsAcknowledgedPerSecond: theirs, ratio },
  };
}

function howItIsMeasured({ warmUpMs, measureMs }: Times, rounds: number): string {
  return `One load process holds ${PAIRS} senders and ${PAIRS} recipients, a connection each. Every sender keeps ` +
    `${WINDOW} unacknowledged messages under way; the broker answers after the commit is on disk; recipients ` +
    `acknowledge in batches per turn of their event loop. Deliveries are counted at the recipients over ` +
    `${measureMs / 1000} s after ${
      warmUpMs / 1000
    } s of warm-up, and the broker has had a round before. ` +
    `Its event loop is watched during its own rounds. ` +
    `JetStream: as many publishers with as many messages under way in one process too, file storage, its default ` +
    `of no fsync per message; publish acknowledgements are counted after the same warm-up, nobody consumes. ${
      rounds === 1 ? "One round of each." : `${rounds} rounds of each in turn, medians.`
    }`;
}

/** The same with the clients spread over several processes, for comparison. */
function manyRows(many: Side): FigureRow[] {
  if (many.rounds.length === 0) return [];
  const ours = median(rates(many));
  const peer = many.peer.length === 0
    ? ""
    : `; JetStream ${grouped(median(many.peer))}/s, ratio ${(ours / median(many.peer)).toFixed(2)}`;
  return [plainRow(`with ${MANY_PROCESSES} load processes`, `${grouped(ours)}/s${peer}`)];
}

async function measureBoth(
  run: BenchRun,
  broker: BrokerProcess,
  mesh: BenchMesh,
  drive: Drive,
  into: Side,
): Promise<void> {
  const acknowledged = await measureNats(run, drive);
  if (acknowledged !== null) into.peer.push(acknowledged);
  into.rounds.push(await measureBroker(broker, mesh, drive));
}

function rates({ rounds }: Side): number[] {
  return rounds.map((each) => each.deliveredPerSecond);
}

async function measureBroker(
  broker: BrokerProcess,
  mesh: BenchMesh,
  { processes, ...times }: Drive,
): Promise<Round> {
  const pairs = Array.from({ length: PAIRS }, (_, index) => {
    const [sender, recipient] = [mesh.members[2 * index], mesh.members[2 * index + 1]];
    if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
    return { sender, recipient };
  });
  const { socketUrl: url, child } = broker;
  const before = await broker.metrics();
  const orders = dealt(pairs, processes).map((hand) => ({
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
  const after = await broker.metrics();
  const closed = growth(before, after, "broker_deliveries_acked_total");
  return {
    deliveredPerSecond: perSecond(results, (result) => result.delivered),
    // What the broker did not close was not acknowledged, whatever the recipients think.
    wrong: results.reduce((sum, each) => sum + each.wrong + each.refused, 0) +
      Math.abs(inAll - closed),
    usedMs,
    deliveredInAll: inAll,
    pages: [before, after],
  };
}

async function measureNats(
  run: BenchRun,
  { processes, ...times }: Drive,
): Promise<number | null> {
  const subjects = Array.from({ length: PAIRS }, (_, index) => `${STREAM}.pair.${index}`);
  return await withNats(run, async ({ port }) => {
    const orders = dealt(subjects, processes).map((hand) => ({
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
