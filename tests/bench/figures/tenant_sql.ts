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

/** Measures the figure. */
export async function measureTenantSql(run: BenchRun): Promise<FigureResult> {
  const messages = run.quick ? 200 : 600;
  return await withBroker(run, async (broker) => {
    const idle = percentile(await latencies(run, broker, messages), 0.99);
    const measured: { name: string; p50: number; p99: number; cut: readonly number[] }[] = [];
    for (const [name, sql] of Object.entries(HEAVY)) {
      const { result, cut } = await whileRunning(
        run,
        broker,
        sql,
        () => latencies(run, broker, messages),
      );
      measured.push({ name, p50: percentile(result, 0.5), p99: percentile(result, 0.99), cut });
    }
    const bound = TARGET_RATIO * Math.max(idle, LEAST_P99_MS);
    const longest = Math.max(...measured.flatMap(({ cut }) => cut));
    return {
      name: "tenant_sql",
      title: "Push latency while another mesh's SQL runs wild",
      how:
        `One pair at ${PER_SECOND} messages/s as in (b), ${messages} messages a run: first on a broker with nothing else to ` +
        `do, then while a member of another mesh runs a statement that never ends, again and again as it is cut off ` +
        `after ${
          STATEMENT_LIMIT_MS / 1000
        } s. Embedded store; the statement runs in the mesh's own worker.`,
      rows: [
        plainRow("idle p99", `${grouped(idle, 2)} ms`),
        ...measured.map(({ name, p99 }) =>
          boundedRow(`p99 during ${name}`, p99, { atMost: bound }, " ms", 2)
        ),
        boundedRow(
          "longest statement",
          longest / 1000,
          {
            atMost: (STATEMENT_LIMIT_MS + OPENING_MS) / 1000,
          },
          " s",
          1,
        ),
      ],
      notes: measured.map(({ name, cut }) => `${cut.length} times ${name} was cut off.`),
      numbers: {
        idleP99Ms: idle,
        joinP99Ms: measured[0]?.p99 ?? null,
        recursionP99Ms: measured[1]?.p99 ?? null,
        longestStatementMs: longest,
      },
    };
  });
}

async function latencies(
  run: BenchRun,
  { socketUrl: url }: BrokerProcess,
  messages: number,
): Promise<readonly number[]> {
  const { meshId, members: [sender, recipient] } = (await run.store()).mesh("pace");
  if (sender === undefined || recipient === undefined) throw new RangeError("too few members");
  const pace = { perSecond: PER_SECOND, warmUpMessages: WARM_UP_MESSAGES, messages };
  const [result] = await runLoad(
    [{ kind: "pace" as const, url, meshId, pair: { sender, recipient }, ...pace }],
    LIMIT_MS,
  );
  return result?.latenciesMs ?? [];
}

/** Runs `work` while a member of another mesh runs `sql` over and over. @returns how long each statement took, in ms. */
async function whileRunning<T>(
  run: BenchRun,
  broker: BrokerProcess,
  sql: string,
  work: () => Promise<T>,
): Promise<{ result: T; cut: number[] }> {
  const { meshId, members: [member] } = (await run.store()).mesh("warm_up");
  if (member === undefined) throw new RangeError("the mesh has no member");
  const peer = await TestPeer.connect(broker.socketUrl);
  const { memberId: id, pubkey: publicKey, secretKey } = member;
  await peer.hello({ id, meshId, keys: { publicKey, secretKey } });
  // Opens the mesh's database, which takes some seconds the first time and is no part of a statement's time.
  await runStatement(peer, "select 1");
  const cut: number[] = [];
  let isOver = false;
  async function keepRunning(): Promise<void> {
    while (!isOver) {
      const startedMs = performance.now();
      const { code, message } = await runStatement(peer, sql);
      if (code !== "limit") throw new Error(`the statement was answered ${code}: ${message}`);
      cut.push(performance.now() - startedMs);
    }
  }
  const tenant = keepRunning();
  try {
    const failed = new Promise<never>((_, reject) => tenant.catch(reject));
    const result = await Promise.race([work(), failed]);
    isOver = true;
    await tenant;
    return { result, cut };
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
