/**
 * The pgvector driver: the vectors of a mesh in that mesh's own database, a table with an HNSW index per collection.
 */
import type { MeshDatabases } from "../mesh_database/port.ts";
import { type Row, SqlError, type SqlStatement } from "../sql/port.ts";
import {
  candidatesFor,
  type CollectionRow,
  collections,
  countIds,
  countMatching,
  createCollection,
  dropCollection,
  type FoundRow,
  NEW_NUMBER,
  rebuildCollection,
  removePoints,
  searchByIndex,
  searchExactly,
  SET_UP,
  storePoints,
} from "./pgvector_statements.ts";
import {
  type Collection,
  type CollectionKind,
  type FoundPoint,
  MAX_DEPTH,
  type Point,
  type VectorBounds,
  type VectorQuery,
  type Vectors,
  VectorsError,
} from "./port.ts";
import { Turns } from "./turns.ts";

const SEARCH_MS = 10_000;
const WRITE_MS = 60_000;
/** So many points are compared faster than an index finds some of them. */
const FEW_POINTS = 2_000;
/** So many that a filter lets through are compared without asking the index. */
const FEW_MATCHING = 300;
/**
 * How far the index is followed for a filter, before all that the filter lets through are compared: looking for some of m
 * among n points costs as n / m, comparing the m as m. Where they meet is about this many times the root of n.
 */
const TUPLES_PER_ROOT = 16;
/** SQLSTATE of a table that is not there. */
const UNDEFINED_TABLE = "42P01";
/** Making a collection's indexes anew takes about half a second for 1,000 points of 1,536 dimensions. */
const REBUILD_MS = 1_800_000;
/** So many stale points, and so large a share of the others, make it worth while. */
const LEAST_STALE = 1_000;
const STALE_SHARE = 0.2;

/** Vectors in the meshes' databases, which belong to the caller and stay open. */
export class PgvectorVectors implements Vectors {
  readonly driver: string;
  readonly #databases: MeshDatabases;
  readonly #turns = new Turns();
  readonly #onWarning: (message: string) => void;
  /** Nobody but this driver cleans up. */
  readonly #isEmbedded: boolean;
  /** Meshes that are set up. */
  readonly #ready = new Set<string>();
  #closed = false;

  /** @param onWarning told when a collection could not be cleaned up; it works all the same, slower. */
  constructor(databases: MeshDatabases, onWarning: (message: string) => void) {
    this.#databases = databases;
    this.#onWarning = onWarning;
    this.#isEmbedded = databases.driver === "pglite";
    this.driver = `pgvector (${this.#isEmbedded ? "embedded" : "PostgreSQL"})`;
  }

  async collection(meshId: string, name: string): Promise<Collection | null> {
    const collections = await this.collections(meshId);
    return collections.find((each) => each.name === name) ?? null;
  }

  async collections(meshId: string): Promise<Collection[]> {
    if (!await this.#databases.exists(meshId)) return [];
    const rows = await this.#collectionRows(meshId, SEARCH_MS);
    return rows.map(({ name, embedding, dimensions, points, created_at }) => ({
      name,
      embedding,
      dimensions,
      points,
      createdAtMs: created_at.getTime(),
    }));
  }

  store(
    meshId: string,
    name: string,
    kind: CollectionKind,
    points: readonly Point[],
    bounds: VectorBounds,
  ): Promise<number> {
    return this.#turns.take(meshId, async () => {
      const rows = await this.#collectionRows(meshId, WRITE_MS);
      const known = rows.find((row) => row.name === name);
      if (known !== undefined) requireKind(known, kind);
      else if (rows.length >= bounds.collections) {
        throw new VectorsError("collections", `the mesh has ${rows.length} collections`);
      }
      await this.#requireRoom(meshId, known, { rows, points, most: bounds.points });
      const number = known?.number ?? await this.#newNumber(meshId);
      const results = await this.#batch(meshId, WRITE_MS, [
        ...(known === undefined ? createCollection(number, name, kind, this.#isEmbedded) : []),
        storePoints(number, points),
      ]);
      const fresh = Number(results.at(-1)?.[0]?.fresh);
      if (known !== undefined) this.#cleanUp(meshId, known, points.length - fresh);
      return fresh;
    });
  }

  async search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]> {
    if (query.limit + query.skip > MAX_DEPTH) throw new RangeError(`beyond ${MAX_DEPTH} points`);
    return await again(() => this.#search(meshId, name, query));
  }

  async #search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]> {
    const collection = await this.#row(meshId, name, SEARCH_MS);
    if (collection.dimensions !== query.vector.length) {
      throw new VectorsError("mismatch", `${query.vector.length} dimensions were asked for`);
    }
    const rows = await this.#nearest(meshId, collection, query);
    return rows.map((row) => ({
      id: row.id,
      text: row.text,
      metadata: row.metadata,
      storedBy: row.stored_by,
      storedAtMs: row.stored_at.getTime(),
      score: row.score,
    }));
  }

  remove(meshId: string, name: string, ids: readonly string[]): Promise<number> {
    return this.#turns.take(meshId, async () => {
      const row = await this.#row(meshId, name, WRITE_MS);
      if (ids.length >= row.points) {
        const known = await this.#known(meshId, row, ids);
        if (known === row.points) {
          await this.#batch(meshId, WRITE_MS, dropCollection(row.number));
          return known;
        }
      }
      const removal = removePoints(row.number, ids);
      const results = await this.#batch(meshId, WRITE_MS, [removal]);
      const gone = Number(results.at(-1)?.[0]?.gone);
      this.#cleanUp(meshId, row, gone);
      return gone;
    });
  }

  async count(meshId: string, name: string, ids: readonly string[]): Promise<number> {
    return await again(async () =>
      await this.#known(meshId, await this.#row(meshId, name, SEARCH_MS), ids)
    );
  }

  drop(meshId: string, name: string): Promise<number> {
    return this.#turns.take(meshId, async () => {
      const row = await this.#row(meshId, name, WRITE_MS);
      await this.#batch(meshId, WRITE_MS, dropCollection(row.number));
      return row.points;
    });
  }

  /** The databases are opened when they are needed, each by itself: there is nothing to ask before. */
  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Makes a collection anew when much of what its index knows is gone; whoever comes next waits for it. */
  #cleanUp(meshId: string, before: CollectionRow, moreStale: number): void {
    const due = LEAST_STALE + STALE_SHARE * before.points;
    // Only what passes the mark counts: one that could not be cleaned up is not tried at each change.
    const passes = before.stale % due + moreStale >= due;
    if (!this.#isEmbedded || moreStale === 0 || !passes) return;
    this.#turns.take(meshId, async () => {
      const rows = await this.#collectionRows(meshId, WRITE_MS);
      const row = rows.find(({ number }) => number === before.number);
      if (row === undefined || this.#closed) return;
      const newNumber = await this.#newNumber(meshId);
      await this.#batch(meshId, REBUILD_MS, rebuildCollection(row, newNumber, this.#isEmbedded));
    }).catch((error) => {
      // The end of the program ends it in the middle; nothing is lost.
      if (!this.#closed) this.#onWarning(`a collection could not be cleaned up: ${error}`);
    });
  }

  /** Chooses between comparing all points and asking the index. */
  async #nearest(
    meshId: string,
    collection: CollectionRow,
    query: VectorQuery,
  ): Promise<readonly FoundRow[]> {
    const { number, points } = collection;
    const exactly = () => this.#found(meshId, [searchExactly(collection, query)]);
    if (points <= FEW_POINTS) return await exactly();
    const mostTuples = Math.max(FEW_POINTS, Math.floor(TUPLES_PER_ROOT * Math.sqrt(points)));
    const byIndex = () => this.#found(meshId, searchByIndex(collection, query, mostTuples));
    if (query.filter === null) return await byIndex();
    const count = countMatching(number, query.filter, FEW_MATCHING + 1);
    const results = await this.#batch(meshId, SEARCH_MS, [count]);
    if (Number(results.at(-1)?.[0]?.matching) <= FEW_MATCHING) return await exactly();
    const rows = await byIndex();
    const candidates = rows[0]?.candidates ?? 0;
    return candidates >= candidatesFor(query) ? rows : await exactly();
  }

  async #found(meshId: string, search: readonly SqlStatement[]): Promise<readonly FoundRow[]> {
    const results = await this.#batch(meshId, SEARCH_MS, search);
    return results.at(-1) as unknown as FoundRow[];
  }

  /** @throws {VectorsError} `absent` */
  async #row(meshId: string, name: string, timeoutMs: number): Promise<CollectionRow> {
    const rows = await this.#collectionRows(meshId, timeoutMs);
    const row = rows.find((each) => each.name === name);
    if (row === undefined) throw new VectorsError("absent", "there is no such collection");
    return row;
  }

  async #collectionRows(meshId: string, timeoutMs: number): Promise<CollectionRow[]> {
    const results = await this.#batch(meshId, timeoutMs, [collections()]);
    return results.at(-1) as unknown as CollectionRow[];
  }

  /** @throws {VectorsError} `points` */
  async #requireRoom(
    meshId: string,
    known: CollectionRow | undefined,
    { rows, points, most }: {
      rows: readonly CollectionRow[];
      points: readonly Point[];
      most: number;
    },
  ): Promise<void> {
    const kept = rows.reduce((sum, row) => sum + row.points, 0);
    if (kept + points.length <= most) return;
    const ids = points.map(({ id }) => id);
    const replaced = known === undefined ? 0 : await this.#known(meshId, known, ids);
    if (kept + points.length - replaced <= most) return;
    throw new VectorsError("points", `the mesh has ${kept} points`);
  }

  async #newNumber(meshId: string): Promise<number> {
    const results = await this.#batch(meshId, WRITE_MS, [NEW_NUMBER]);
    return Number(results.at(-1)?.[0]?.number);
  }

  async #known(
    meshId: string,
    { number }: CollectionRow,
    ids: readonly string[],
  ): Promise<number> {
    const results = await this.#batch(meshId, WRITE_MS, [countIds(number, ids)]);
    return Number(results.at(-1)?.[0]?.known);
  }

  async #batch(
    meshId: string,
    timeoutMs: number,
    statements: readonly SqlStatement[],
  ): Promise<Row[][]> {
    const setUp = this.#ready.has(meshId) ? [] : SET_UP;
    try {
      const batch = [...setUp, ...statements];
      const results = await this.#databases.batch(meshId, batch, { timeoutMs });
      this.#ready.add(meshId);
      return results;
    } catch (error) {
      if (!(error instanceof SqlError) || error.sqlState !== UNDEFINED_TABLE) throw error;
      throw new VectorsError("absent", "the collection is gone meanwhile", { cause: error });
    }
  }
}

/** @throws {VectorsError} `mismatch` */
function requireKind(row: CollectionRow, { embedding, dimensions }: CollectionKind): void {
  if (row.embedding === embedding && row.dimensions === dimensions) return;
  throw new VectorsError(
    "mismatch",
    `the collection is of ${row.embedding} with ${row.dimensions} dimensions`,
  );
}

/** Reads once more when the table went away between two looks: a collection that was made anew has another. */
async function again<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof VectorsError) || error.cause === undefined) throw error;
    return await read();
  }
}
