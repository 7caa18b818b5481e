/**
 * How long a recall takes in a mesh that remembers 100,000 things, by how common the words are that it asks for.
 */
import { openPglite } from "../../../storage/sql/pglite.ts";
import type { Sql } from "../../../storage/sql/port.ts";
import { insertMemory } from "../../../storage/sql/queries/memory.ts";
import { TestPeer } from "../../support/peer.ts";
import type { BenchMesh } from "../bench_store.ts";
import type { BenchRun } from "../bench_run.ts";
import { BrokerProcess } from "../broker_process.ts";
import { boundedRow, type FigureResult, grouped, plainRow } from "../figure.ts";
import { percentile } from "../samples.ts";

const MEMORIES = 100_000;
/** Of another mesh, in the same tables and indexes. */
const OTHERS = 20_000;
const BATCH = 500;
const LANGUAGES = ["simple", "english"];
const VOCABULARY = 20_000;
const WORDS_OF_ONE = 40;
const WARM_UP = 10;
const TARGET_MS = 20;

/** What is asked for -> its query. */
const QUERIES: readonly (readonly [string, string])[] = [
  ["a word of 20 memories", "zanzibar"],
  ["a word of 2,000 memories", "fiftieth"],
  ["a word of every memory", "deployment"],
  ["a word of every memory and one of 2,000", "deployment fiftieth"],
  ["a word of 2,000 memories with a tag of 1,000", "fiftieth tag:t57"],
  ["the beginning of a word of every memory", "deploym*"],
  ["some of five words, of which no memory has all", "zanzibar fiftieth absent elsewhere nobody"],
  ["the newest", ""],
  ["a word that is nowhere", "absent"],
];

/** Measures the figure. */
export async function measureRecall(run: BenchRun): Promise<FigureResult> {
  const rounds = run.quick ? 20 : 100;
  const store = await run.store();
  const [mesh, others] = [store.mesh("pairs"), store.mesh("pace")];
  const dataDir = await store.copy();
  try {
    await fill(dataDir, [[others, OTHERS / 2], [mesh, MEMORIES], [others, OTHERS / 2]]);
    const broker = await BrokerProcess.start({ dataDir });
    try {
      return figureOf(await ask(broker, mesh, rounds), rounds);
    } finally {
      await broker.stop();
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** One query's answers. */
interface Asked {
  readonly label: string;
  readonly timesMs: readonly number[];
  /** Of the broker, its store included, for one. */
  readonly processorMs: number;
}

function figureOf(asked: readonly Asked[], rounds: number): FigureResult {
  const rows = asked.map(({ label, timesMs }) => {
    const time = percentile(timesMs, 0.95);
    return boundedRow(`${label}, 95 %`, time, { atMost: TARGET_MS }, " ms", 1);
  });
  const all = asked.flatMap(({ timesMs }) => timesMs);
  const [count, others] = [grouped(MEMORIES), grouped(OTHERS)];
  return {
    name: "recall",
    title: `Recall of 20 among ${count} memories`,
    how:
      `A mesh of ${count} memories of ${WORDS_OF_ONE} words (skewed like those of a language) beside another of ` +
      `${others}, on the embedded store. One connection asks ${rounds} times with each query for 20 memories; from ` +
      `the request's frame to the answer in the client, after ${WARM_UP} of each that are not counted.`,
    rows: [
      ...rows,
      plainRow("all, median and longest", `${ms(percentile(all, 0.5))}, ${ms(percentile(all, 1))}`),
      plainRow(
        "processor time of the broker for one, in this order",
        asked.map(({ processorMs }) => ms(processorMs)).join(", "),
      ),
    ],
    notes: [],
    numbers: Object.fromEntries(
      asked.map(({ label, timesMs }) => [label, percentile(timesMs, 0.5)]),
    ),
  };
}

function ms(value: number): string {
  return `${grouped(value, 1)} ms`;
}

/** Asks with every query. */
async function ask(broker: BrokerProcess, mesh: BenchMesh, rounds: number): Promise<Asked[]> {
  const [member] = mesh.members;
  if (member === undefined) throw new RangeError("the mesh has no members");
  const { memberId: id, pubkey: publicKey, secretKey } = member;
  const peer = await TestPeer.connect(broker.socketUrl);
  try {
    await peer.hello({ id, meshId: mesh.meshId, keys: { publicKey, secretKey } });
    for (let round = 0; round < WARM_UP; round++) {
      for (const [, query] of QUERIES) await recallMs(peer, query);
    }
    const asked: Asked[] = [];
    for (const [label, query] of QUERIES) {
      const beforeMs = await broker.child.processorMs();
      const timesMs: number[] = [];
      while (timesMs.length < rounds) timesMs.push(await recallMs(peer, query));
      const processorMs = (await broker.child.processorMs() - beforeMs) / rounds;
      asked.push({ label, timesMs, processorMs });
    }
    return asked;
  } finally {
    await peer.close();
  }
}

/** Asks once; how long that took. */
async function recallMs(peer: TestPeer, query: string): Promise<number> {
  const startMs = performance.now();
  const answer = await peer.request("recall", { query, limit: 20 });
  const tookMs = performance.now() - startMs;
  if (answer.type !== "memory_results") throw new Error(JSON.stringify(answer));
  return tookMs;
}

/** Writes memories with the broker's own statements; the index is made at the end, which is four times as fast. */
async function fill(
  dataDir: string,
  meshes: readonly (readonly [BenchMesh, number])[],
): Promise<void> {
  const sql = await openPglite({ dataDir });
  try {
    const [index] = await sql.query<{ definition: string }>(
      `select indexdef as definition from pg_indexes
        where schemaname = 'mesh' and indexname = 'memory_search'`,
    );
    if (index === undefined) throw new Error("the index of memories has another name");
    await sql.query("drop index mesh.memory_search");
    const written = new Map<BenchMesh, number>();
    for (const [mesh, count] of meshes) {
      const first = written.get(mesh) ?? 0;
      await fillMesh(sql, mesh, first, count);
      written.set(mesh, first + count);
    }
    await sql.query(index.definition);
    await sql.query("analyze mesh.memory");
  } finally {
    await sql.close();
  }
}

async function fillMesh(sql: Sql, mesh: BenchMesh, first: number, count: number): Promise<void> {
  const [owner] = mesh.members;
  for (let start = first; start < first + count; start += BATCH) {
    await sql.batch(Array.from({ length: BATCH }, (_, offset) =>
      insertMemory(mesh.meshId, {
        id: `memory${start + offset}`,
        content: contentOf(start + offset),
        tags: [`t${(start + offset) % 100}`],
        memberId: owner?.memberId ?? "",
        byName: "Member 0",
        sessionId: "bench",
        atMs: Date.now(),
        expiresAtMs: null,
        languages: LANGUAGES,
      })));
  }
}

/** Words with the skew of a language: the rank of each is the fourth power of a random number. */
function contentOf(number: number): string {
  const words = Array.from(
    { length: WORDS_OF_ONE },
    () => `w${Math.floor(Math.random() ** 4 * VOCABULARY).toString(36)}x`,
  );
  words.push("deployment");
  if (number % 50 === 7) words.push("fiftieth");
  if (number % 5_000 === 7) words.push("zanzibar");
  return words.join(" ");
}
