/**
 * What a mesh's own SQL costs the others: push latency of one pair while another mesh's member runs statements that never
 * end by themselves.
 */
import { type Frame, TestPeer } from "../../support/peer.ts";
import { type BenchRun, withBroker } from "../bench_run.ts";
import type { BrokerProcess } from "../broker_process.ts";
import { boundedRow, type FigureResult, grouped, plainRow } from "../figure.ts";
import { runLoad } from "../load_process.ts";
import { percentile } from "../samples.ts";

const PER_SECOND = 20;
const WARM_UP_MESSAGES = 20;
const MESSAGES = 200;
const LIMIT_MS = 120_000;
/** The limit of a statement by default, and what opening the database again after the last one may take beyond it. */
const STATEMENT_LIMIT_MS = 10_000;
const OPENING_MS = 5_000;
/** How much longer than on an idle broker messages may take. */
const TARGET_RATIO = 2;
/** Below that, the clock and the scheduler decide. */
const LEAST_P99_MS = 2;

const HEAVY = {
  "a cross join of 10 million rows, a thousand times over":
    "select count(*) from generate_series(1, 10000) a, generate_series(1, 1000) b, generate_series(1, 1000) c",
  "an endless recursion":
    "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
} as const;

interface Measured {
  readonly idle: number[];
  /** By the name of the statement. */
  readonly busy: Map<string, number[]>;
  /** How long the tenant waited for each answer, in ms. */
  readonly waits: number[];
}

/** Measures the figure. */
export async function measureTenantSql(run: BenchRun): Promise<FigureResult> {
  const rounds = run.quick ? 2 : 5;
  const { idle, busy, waits } = await withBroker(run, (broker) => measure(run, broker, rounds));
  const idleP99 = percentile(idle, 0.99);
  const bound = TARGET_RATIO * Math.max(idleP99, LEAST_P99_MS);
  const rows = [...busy].map(([name, samples]) =>
    boundedRow(`p99 during ${name}`, percentile(samples, 0.99), { atMost: bound }, " ms", 2)
  );
  const longest = Math.max(...waits);
  const [join = [], recursion = []] = busy.values();
  return {
    name: "tenant_sql",
    title: "Push latency while another mesh's SQL runs wild",
    how:
      `One pair at ${PER_SECOND} messages/s as in (b), ${rounds} rounds of ${MESSAGES} messages each: on a broker with ` +
      `nothing else to do, and while a member of another mesh runs a statement that never ends, again and again as it is ` +
      `cut off after ${
        STATEMENT_LIMIT_MS / 1000
      } s or for want of memory. The rounds take turns, so that all have the ` +
      `same machine. Embedded store: the statement runs in a process of that mesh's own, at low priority.`,
    rows: [
      plainRow("idle p50, p99", `${ms(percentile(idle, 0.5))}, ${ms(idleP99)}`),
      ...rows,
      boundedRow(
        "longest wait for a statement to be cut off",
        longest / 1000,
        {
          atMost: (STATEMENT_LIMIT_MS + OPENING_MS) / 1000,
        },
        " s",
        1,
      ),
    ],
    notes: [`${waits.length} statements were cut off.`],
    numbers: {
      idleP99Ms: idleP99,
      joinP99Ms: percentile(join, 0.99),
      recursionP99Ms: percentile(recursion, 0.99),
      longestStatementMs: longest,
    },
  };
}

async function measure(run: BenchRun, broker: BrokerProcess, rounds: number): Promise<Measured> {
  const measured: Measured = { idle: [], busy: new Map(), waits: [] };
  for (let round = 0; round < rounds; round++) {
    measured.idle.push(...await latencies(run, broker));
    for (const [name, sql] of Object.entries(HEAVY)) {
      const { result, waits } = await whileRunning(run, broker, sql, () => latencies(run, broker));
      const samples = measured.busy.get(name) ?? [];
      measured.busy.set(name, samples);
      samples.push(...result);
      measured.waits.push(...waits);
    }
  }
  return measured;
}

function ms(value: number): string {
  return `${grouped(value, 2)} ms`;
}

async function latencies(
  run: BenchRun,
  { socketUrl: url }: BrokerProcess,
): Promise<readonly number[]> {
  const { meshId, members: [sender, recipient] } = (await run.store()).mesh("pace");
  if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
  const pace = { perSecond: PER_SECOND, warmUpMessages: WARM_UP_MESSAGES, messages: MESSAGES };
  const [result] = await runLoad(
    [{ kind: "pace" as const, url, meshId, pair: { sender, recipient }, ...pace }],
    LIMIT_MS,
  );
  return result?.latenciesMs ?? [];
}

/** Runs `work` while a member of another mesh runs `sql` over and over. @returns how long each answer took, in ms. */
async function whileRunning<T>(
  run: BenchRun,
  broker: BrokerProcess,
  sql: string,
  work: () => Promise<T>,
): Promise<{ result: T; waits: number[] }> {
  const { meshId, members: [member] } = (await run.store()).mesh("warm_up");
  if (member === undefined) throw new RangeError("the mesh has no member");
  const peer = await TestPeer.connect(broker.socketUrl);
  const { memberId: id, pubkey: publicKey, secretKey } = member;
  await peer.hello({ id, meshId, keys: { publicKey, secretKey } });
  // Opens the mesh's database, which takes some seconds the first time and is no part of a statement's time.
  await runStatement(peer, "select 1");
  const waits: number[] = [];
  let isOver = false;
  async function keepRunning(): Promise<void> {
    while (!isOver) {
      const startedMs = performance.now();
      const { code, message } = await runStatement(peer, sql);
      if (code !== "limit") throw new Error(`the statement was answered ${code}: ${message}`);
      waits.push(performance.now() - startedMs);
    }
  }
  const tenant = keepRunning();
  try {
    const failed = new Promise<never>((_, reject) => tenant.catch(reject));
    const result = await Promise.race([work(), failed]);
    isOver = true;
    await tenant;
    return { result, waits };
  } finally {
    isOver = true;
    await peer.close();
  }
}

async function runStatement(peer: TestPeer, sql: string): Promise<Frame> {
  const _reqId = crypto.randomUUID();
  const answer = new Promise<Frame>((resolve, reject) => {
    function receive(data: unknown): void {
      const frame = JSON.parse(String(data));
      if (frame._reqId !== _reqId) return;
      peer.ws.off("message", receive);
      resolve(frame);
    }
    peer.ws.on("message", receive);
    peer.ws.once("close", () => reject(new Error("the broker closed the tenant's connection")));
  });
  peer.send({ type: "mesh_query", sql, _reqId });
  return await answer;
}
