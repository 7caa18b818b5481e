/**
 * The pgvector driver: the vectors of a mesh in that mesh's own database, a table with an HNSW index per collection.
 */
import type { MeshDatabases } from "../mesh_database/port.ts";
import { type Row, SqlError, type SqlStatement } from "../sql/port.ts";
import {
  type CollectionRow,
  collections,
  countIds,
  countMatching,
  createCollection,
  dropCollection,
  type FoundRow,
  NEW_NUMBER,
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
/**
 * Comparing m points costs as m, and finding some that a filter lets through, m of n, as n / m: where they meet, m is
 * about this many times the root of n.
 */
const MATCHING_PER_ROOT = 16;
/** SQLSTATE of a table that is not there. */
const UNDEFINED_TABLE = "42P01";

/** Vectors in the meshes' databases, which belong to the caller and stay open. */
export class PgvectorVectors implements Vectors {
  readonly driver: string;
  readonly #databases: MeshDatabases;
  readonly #turns = new Turns();
  /** Meshes that are set up. */
  readonly #ready = new Set<string>();

  constructor(databases: MeshDatabases) {
    this.#databases = databases;
    this.driver = `pgvector (${databases.driver === "pglite" ? "embedded" : "PostgreSQL"})`;
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
        ...(known === undefined ? createCollection(number, name, kind) : []),
        storePoints(number, points),
      ]);
      return Number(results.at(-1)?.[0]?.fresh);
    });
  }

  async search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]> {
    if (query.limit + query.skip > MAX_DEPTH) throw new RangeError(`beyond ${MAX_DEPTH} points`);
    const collection = await this.#row(meshId, name, SEARCH_MS);
    if (collection.dimensions !== query.vector.length) {
      throw new VectorsError("mismatch", `${query.vector.length} dimensions were asked for`);
    }
    const search = await this.#comparesAll(meshId, collection, query)
      ? [searchExactly(collection, query)]
      : searchByIndex(collection, query);
    const results = await this.#batch(meshId, SEARCH_MS, search);
    return (results.at(-1) as FoundRow[] | undefined ?? []).map((row) => ({
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
      return Number(results.at(-1)?.[0]?.gone);
    });
  }

  async count(meshId: string, name: string, ids: readonly string[]): Promise<number> {
    return await this.#known(meshId, await this.#row(meshId, name, SEARCH_MS), ids);
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
    return Promise.resolve();
  }

  async #comparesAll(
    meshId: string,
    { number, points }: CollectionRow,
    { filter }: VectorQuery,
  ): Promise<boolean> {
    if (points <= FEW_POINTS) return true;
    if (filter === null) return false;
    const most = Math.max(FEW_POINTS, Math.floor(MATCHING_PER_ROOT * Math.sqrt(points)));
    const count = countMatching(number, filter, most + 1);
    const results = await this.#batch(meshId, SEARCH_MS, [count]);
    return Number(results.at(-1)?.[0]?.matching) <= most;
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
