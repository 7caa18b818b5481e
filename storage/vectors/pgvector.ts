/**
 * The pgvector driver: the vectors of a mesh in that mesh's own database, a table with an HNSW index per collection.
 */
import type { MeshDatabases } from "../mesh_database/port.ts";
import type { Row, SqlStatement } from "../sql/port.ts";
import {
  type CollectionRow,
  FIND_EXTENSION,
  type FoundRow,
  PgvectorStatements,
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

/** Vectors in the meshes' databases, which belong to the caller and stay open. */
export class PgvectorVectors implements Vectors {
  readonly driver: string;
  readonly #databases: MeshDatabases;
  readonly #turns = new Turns();
  /** Meshes that are set up; a failed one is tried again. */
  readonly #ready = new Map<string, Promise<PgvectorStatements>>();

  constructor(databases: MeshDatabases) {
    this.#databases = databases;
    this.driver = `pgvector (${databases.driver === "pglite" ? "embedded" : "PostgreSQL"})`;
  }

  async collection(meshId: string, name: string): Promise<Collection | null> {
    const collections = await this.collections(meshId);
    return collections.find((each) => each.name === name) ?? null;
  }

  async collections(meshId: string): Promise<Collection[]> {
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
      const statements = await this.#statements(meshId);
      const rows = await this.#collectionRows(meshId, WRITE_MS);
      const known = rows.find((row) => row.name === name);
      if (known !== undefined) requireKind(known, kind);
      else if (rows.length >= bounds.collections) {
        throw new VectorsError("collections", `the mesh has ${rows.length} collections`);
      }
      const isFull = points.length + total(rows) > bounds.points;
      const ids = points.map(({ id }) => id);
      if (
        isFull &&
        points.length + total(rows) - await this.#known(meshId, known, ids) > bounds.points
      ) {
        throw new VectorsError("points", `the mesh has ${total(rows)} points`);
      }
      const number = known?.number ?? 1 + Math.max(0, ...rows.map((row) => row.number));
      const results = await this.#batch(meshId, WRITE_MS, [
        ...(known === undefined ? statements.createCollection(number, name, kind) : []),
        statements.storePoints(number, points),
      ]);
      return Number(results.at(-1)?.[0]?.fresh);
    });
  }

  async search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]> {
    if (query.limit + query.skip > MAX_DEPTH) throw new RangeError(`beyond ${MAX_DEPTH} points`);
    const statements = await this.#statements(meshId);
    const collection = await this.#row(meshId, name, SEARCH_MS);
    if (collection.dimensions !== query.vector.length) {
      throw new VectorsError("mismatch", `${query.vector.length} dimensions were asked for`);
    }
    const search = await this.#comparesAll(meshId, collection, query)
      ? [statements.searchExactly(collection, query)]
      : statements.searchByIndex(collection, query);
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
      const statements = await this.#statements(meshId);
      const row = await this.#row(meshId, name, WRITE_MS);
      if (ids.length >= row.points) {
        const known = await this.#known(meshId, row, ids);
        if (known === row.points) {
          await this.#batch(meshId, WRITE_MS, statements.dropCollection(row.number));
          return known;
        }
      }
      const removal = statements.removePoints(row.number, ids);
      const results = await this.#batch(meshId, WRITE_MS, [removal]);
      return Number(results.at(-1)?.[0]?.gone);
    });
  }

  drop(meshId: string, name: string): Promise<number> {
    return this.#turns.take(meshId, async () => {
      const statements = await this.#statements(meshId);
      const row = await this.#row(meshId, name, WRITE_MS);
      await this.#batch(meshId, WRITE_MS, statements.dropCollection(row.number));
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
    const statements = await this.#statements(meshId);
    const count = statements.countMatching(number, filter, most + 1);
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
    const statements = await this.#statements(meshId);
    const results = await this.#batch(meshId, timeoutMs, [statements.collections()]);
    return results.at(-1) as unknown as CollectionRow[];
  }

  async #known(
    meshId: string,
    row: CollectionRow | undefined,
    ids: readonly string[],
  ): Promise<number> {
    if (row === undefined) return 0;
    const statements = await this.#statements(meshId);
    const results = await this.#batch(meshId, WRITE_MS, [statements.countIds(row.number, ids)]);
    return Number(results.at(-1)?.[0]?.known);
  }

  #statements(meshId: string): Promise<PgvectorStatements> {
    const known = this.#ready.get(meshId);
    if (known !== undefined) return known;
    const setUp = this.#setUp(meshId).catch((error) => {
      this.#ready.delete(meshId);
      throw error;
    });
    this.#ready.set(meshId, setUp);
    return setUp;
  }

  async #setUp(meshId: string): Promise<PgvectorStatements> {
    const statements = new PgvectorStatements(meshId);
    // Two meshes at once would both find the extension missing on a server, and one of them fail.
    await this.#turns.take(
      "",
      () => this.#databases.batch(meshId, statements.setUp(), { timeoutMs: WRITE_MS }),
    );
    return statements;
  }

  async #batch(
    meshId: string,
    timeoutMs: number,
    statements: readonly SqlStatement[],
  ): Promise<Row[][]> {
    return await this.#databases.batch(meshId, [FIND_EXTENSION, ...statements], { timeoutMs });
  }
}

function total(rows: readonly CollectionRow[]): number {
  return rows.reduce((sum, { points }) => sum + points, 0);
}

/** @throws {VectorsError} `mismatch` */
function requireKind(row: CollectionRow, { embedding, dimensions }: CollectionKind): void {
  if (row.embedding === embedding && row.dimensions === dimensions) return;
  throw new VectorsError(
    "mismatch",
    `the collection is of ${row.embedding} with ${row.dimensions} dimensions`,
  );
}
