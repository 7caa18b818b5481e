/**
 * How long a similarity search takes on the embedded store, and how much of what is really nearest it finds.
 */
import { join } from "node:path";
import { lexicalEmbedding } from "../../../broker/core/embeddings/lexical_embedding.ts";
import { PgliteMeshDatabases } from "../../../storage/mesh_database/pglite.ts";
import { PgvectorVectors } from "../../../storage/vectors/pgvector.ts";
import type { Point } from "../../../storage/vectors/port.ts";
import { TestPeer } from "../../support/peer.ts";
import type { BenchMesh } from "../bench_store.ts";
import type { BenchRun } from "../bench_run.ts";
import { BrokerProcess } from "../broker_process.ts";
import { boundedRow, type FigureResult, grouped, plainRow } from "../figure.ts";
import { DIMENSIONS, modelLike, Nearest, topicalTexts } from "../load/vector_points.ts";
import { type LoopLag, loopLag } from "../metrics_text.ts";
import { percentile } from "../samples.ts";
import { lagRow } from "./rows.ts";

const POINTS = 100_000;
/** Of a run that is not patient. */
const FEWER_POINTS = 10_000;
const TEXTS = 5_000;
const BATCH = 200;
const NEAREST = 10;
const QUERIES = 50;
const WARM_UP = 10;
const TARGET_MS = 50;
const TARGET_RECALL = 0.95;
const BOUNDS = { collections: 10, points: 1_000_000 };
const SEED = 20_261_121;
const MIB = 1_048_576;

/** A filled data folder, and what is to be found in it. */
interface Filled {
  readonly dataDir: string;
  readonly points: number;
  readonly perSecond: number;
  readonly directions: { readonly queries: readonly Float32Array[]; readonly nearest: Nearest };
  readonly texts: { readonly queries: readonly string[]; readonly nearest: Nearest };
}

interface Measured {
  readonly plainMs: number[];
  readonly filteredMs: number[];
  readonly directionRecall: number;
  readonly textRecall: number;
  readonly lag: LoopLag;
  readonly grownMib: number;
}

/** Made once: a patient run measures again when others were busy. */
let filled: Promise<Filled> | null = null;

/** Measures the figure; with 100,000 points when the run is patient, for they take minutes to store. */
export async function measureVectors(run: BenchRun, patient: boolean): Promise<FigureResult> {
  const mesh = (await run.store()).mesh("pairs");
  filled ??= fill(await (await run.store()).copy(), mesh.meshId, patient ? POINTS : FEWER_POINTS);
  const { dataDir } = await filled;
  const broker = await BrokerProcess.start({ dataDir });
  try {
    return figureOf(await filled, await ask(broker, mesh, await filled, run.quick ? 1 : 4));
  } finally {
    await broker.stop();
  }
}

function figureOf({ points, perSecond }: Filled, measured: Measured): FigureResult {
  const { plainMs, filteredMs, directionRecall, textRecall, lag, grownMib } = measured;
  const [median, late] = [percentile(plainMs, 0.5), percentile(plainMs, 0.99)];
  const filtered = percentile(filteredMs, 0.5);
  const recall = (what: string, share: number) =>
    boundedRow(
      `of the ${NEAREST} really nearest found, ${what}`,
      share,
      {
        atLeast: TARGET_RECALL,
      },
      "",
      3,
    );
  return {
    name: "vectors",
    title: `${NEAREST} nearest of ${grouped(points)} points`,
    how:
      `Directions of ${DIMENSIONS} numbers, spread as a model of language spreads them, stored ${BATCH} at a time ` +
      `into a mesh's collection on the embedded store; then one connection searches, one search after the other, ` +
      `from the request's frame to the answer in the client. What is really nearest is found by comparing every ` +
      `point. The built-in embedding is asked among ${grouped(TEXTS)} made-up texts.`,
    rows: [
      boundedRow("search, median", median, { atMost: TARGET_MS }, " ms", 1),
      boundedRow("search, 99 %", late, { atMost: TARGET_MS }, " ms", 1),
      plainRow("with a filter that a tenth passes, median", `${grouped(filtered, 1)} ms`),
      recall("directions of a model", directionRecall),
      recall("the built-in embedding", textRecall),
      plainRow("points stored per second", grouped(perSecond)),
      plainRow(
        "more memory of the broker with the mesh's database open",
        `${grouped(grownMib)} MiB`,
      ),
      lagRow(lag),
    ],
    notes: points === POINTS ? [] : ["the target is for 100,000 points: run with --patient"],
    numbers: { points, median, late, filtered, directionRecall, textRecall, perSecond, grownMib },
  };
}

/** Stores all points as the broker would, and notes what is nearest to the queries. */
async function fill(dataDir: string, meshId: string, points: number): Promise<Filled> {
  globalThis.addEventListener("unload", () => Deno.removeSync(dataDir, { recursive: true }));
  const next = modelLike(SEED);
  const queries = Array.from({ length: QUERIES }, next);
  const nearest = new Nearest(queries, NEAREST);
  const databases = new PgliteMeshDatabases({ folder: join(dataDir, "meshes") });
  try {
    const vectors = new PgvectorVectors(databases, console.warn);
    let storingMs = 0;
    for (let start = 0; start < points; start += BATCH) {
      const batch = Array.from(
        { length: BATCH },
        (_, offset) => pointOf(start + offset, "a point", next()),
      );
      for (const { id, vector } of batch) nearest.add(id, vector);
      const startMs = performance.now();
      const kind = { embedding: "caller", dimensions: DIMENSIONS };
      await vectors.store(meshId, "directions", kind, batch, BOUNDS);
      storingMs += performance.now() - startMs;
    }
    const texts = await fillTexts(vectors, meshId);
    const perSecond = points * 1000 / storingMs;
    return { dataDir, points, perSecond, directions: { queries, nearest }, texts };
  } finally {
    await databases.close();
  }
}

async function fillTexts(vectors: PgvectorVectors, meshId: string): Promise<Filled["texts"]> {
  const next = topicalTexts(SEED);
  const queries = Array.from({ length: QUERIES }, next);
  const nearest = new Nearest(queries.map(embedded), NEAREST);
  for (let start = 0; start < TEXTS; start += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, offset) => {
      const text = next();
      return pointOf(start + offset, text, embedded(text));
    });
    for (const { id, vector } of batch) nearest.add(id, vector);
    const kind = { embedding: "lexical-v1", dimensions: DIMENSIONS };
    await vectors.store(meshId, "texts", kind, batch, BOUNDS);
  }
  return { queries, nearest };
}

function embedded(text: string): Float32Array {
  const vector = lexicalEmbedding(text);
  if (vector === null) throw new Error("a text without words");
  return vector;
}

function pointOf(number: number, text: string, vector: Float32Array): Point {
  const metadata = { tenth: number % 10 };
  return { id: `p${number}`, text, metadata, vector, storedBy: "Member 0", storedAtMs: 0 };
}

async function ask(
  broker: BrokerProcess,
  mesh: BenchMesh,
  { directions, texts }: Filled,
  rounds: number,
): Promise<Measured> {
  const [member] = mesh.members;
  if (member === undefined) throw new RangeError("the mesh has no members");
  const { memberId: id, pubkey: publicKey, secretKey } = member;
  const peer = await TestPeer.connect(broker.socketUrl);
  try {
    await peer.hello({ id, meshId: mesh.meshId, keys: { publicKey, secretKey } });
    const before = await broker.child.residentBytes();
    const numbers = directions.queries.map((query) => ({ query: "", embedding: [...query] }));
    const found = await search(peer, "directions", numbers.slice(0, WARM_UP), {});
    const metrics = await broker.metrics();
    const plainMs: number[] = [];
    const filteredMs: number[] = [];
    let ids = found.ids;
    for (let round = 0; round < rounds; round++) {
      const plain = await search(peer, "directions", numbers, {});
      ids = plain.ids;
      plainMs.push(...plain.tookMs);
      const filter = { tenth: round };
      filteredMs.push(...(await search(peer, "directions", numbers, { filter })).tookMs);
    }
    const lag = loopLag(metrics, await broker.metrics());
    const grownMib = (await broker.child.residentBytes() - before) / MIB;
    const asked = await search(peer, "texts", texts.queries.map((query) => ({ query })), {});
    return {
      plainMs,
      filteredMs,
      directionRecall: directions.nearest.recall(ids),
      textRecall: texts.nearest.recall(asked.ids),
      lag,
      grownMib,
    };
  } finally {
    await peer.close();
  }
}

/** Searches one after the other. */
async function search(
  peer: TestPeer,
  collection: string,
  queries: readonly object[],
  more: object,
): Promise<{ tookMs: number[]; ids: string[][] }> {
  const tookMs: number[] = [];
  const ids: string[][] = [];
  for (const query of queries) {
    const startMs = performance.now();
    const answer = await peer.request("vector_search", {
      collection,
      limit: NEAREST,
      ...query,
      ...more,
    });
    tookMs.push(performance.now() - startMs);
    if (answer.type !== "vector_results") throw new Error(JSON.stringify(answer));
    ids.push((answer.results as { id: string }[]).map(({ id }) => id));
  }
  return { tookMs, ids };
}
