/**
 * The Qdrant driver: a collection at the server for each of a mesh's, under a made-up name; a catalog collection keeps
 * which is which. Only one broker writes, so what the catalog says, and how many points there are, is read once and kept
 * in mind. API: https://api.qdrant.tech/api-reference
 */
import type { QdrantClient } from "@qdrant/js-client-rest";
import { factsOf } from "./facts.ts";
import {
  type Collection,
  type CollectionKind,
  type FoundPoint,
  MAX_DEPTH,
  type Metadata,
  type Point,
  type VectorBounds,
  type VectorQuery,
  type Vectors,
  VectorsError,
} from "./port.ts";
import { QdrantCatalog, type QdrantCollection } from "./qdrant_catalog.ts";
import { hashedId, refusalOf } from "./qdrant_wire.ts";
import { Turns } from "./turns.ts";
import { unitVector } from "./unit_vector.ts";

const TIMEOUT_MS = 20_000;

/** Where the server is. */
export interface QdrantOptions {
  readonly url: string;
  readonly apiKey: string | null;
}

interface PointPayload {
  readonly id: string;
  readonly text: string;
  /** JSON: the server's own would make numbers and dates of its liking of it. */
  readonly metadata: string;
  readonly facts: readonly string[];
  readonly stored_by: string;
  readonly stored_at_ms: number;
}

/**
 * Opens the store at a server.
 * @throws {VectorsError} `unavailable` when it does not answer or refuses the key.
 */
export async function openQdrantVectors({ url, apiKey }: QdrantOptions): Promise<QdrantVectors> {
  const { QdrantClient } = await import("@qdrant/js-client-rest");
  const { origin, pathname } = new URL(url);
  const client = new QdrantClient({
    url: origin,
    // Without this an address without a port would mean 6333, also for https.
    port: null,
    ...(pathname === "/" ? {} : { prefix: pathname }),
    // Not as `apiKey`, with which the client writes to the console when the address is http.
    headers: apiKey === null ? {} : { "api-key": apiKey },
    timeout: TIMEOUT_MS,
    checkCompatibility: false,
  });
  const vectors = new QdrantVectors(client);
  await vectors.ping();
  return vectors;
}

export class QdrantVectors implements Vectors {
  readonly driver = "Qdrant";
  readonly #client: QdrantClient;
  readonly #catalog: QdrantCatalog;
  readonly #turns = new Turns();

  constructor(client: QdrantClient) {
    this.#client = client;
    this.#catalog = new QdrantCatalog(client);
  }

  async collection(meshId: string, name: string): Promise<Collection | null> {
    return (await this.#asked(() => this.#catalog.of(meshId))).get(name) ?? null;
  }

  async collections(meshId: string): Promise<Collection[]> {
    const known = await this.#asked(() => this.#catalog.of(meshId));
    return [...known.values()]
      .sort((a, b) => a.name < b.name ? -1 : 1)
      .map(({ key: _key, ...collection }) => collection);
  }

  store(
    meshId: string,
    name: string,
    kind: CollectionKind,
    points: readonly Point[],
    bounds: VectorBounds,
  ): Promise<number> {
    return this.#changing(meshId, async () => {
      const all = await this.#catalog.of(meshId);
      const known = all.get(name);
      if (known !== undefined) requireKind(known, kind);
      else if (all.size >= bounds.collections) {
        throw new VectorsError("collections", `the mesh has ${all.size} collections`);
      }
      const ids = points.map(({ id }) => id);
      const fresh = points.length - (known === undefined ? 0 : await this.#known(known, ids));
      const kept = [...all.values()].reduce((sum, each) => sum + each.points, 0);
      if (fresh > 0 && kept + fresh > bounds.points) {
        throw new VectorsError("points", `the mesh has ${kept} points`);
      }
      const collection = known ?? await this.#catalog.create(meshId, name, kind);
      await this.#client.upsert(collection.key, {
        wait: true,
        points: points.map((point) => ({
          id: hashedId(point.id),
          vector: [...unitVector(point.vector)],
          payload: { ...payloadOf(point) },
        })),
      });
      this.#catalog.counted(meshId, collection, collection.points + fresh);
      return fresh;
    });
  }

  async search(meshId: string, name: string, query: VectorQuery): Promise<FoundPoint[]> {
    const { vector, limit, skip, filter } = query;
    if (limit + skip > MAX_DEPTH) throw new RangeError(`beyond ${MAX_DEPTH} points`);
    const { key, dimensions } = await this.#collection(meshId, name);
    if (dimensions !== vector.length) {
      throw new VectorsError("mismatch", `${vector.length} dimensions were asked for`);
    }
    const { points } = await this.#asked(() =>
      this.#client.query(key, {
        query: [...unitVector(vector)],
        limit,
        offset: skip,
        ...(filter === null ? {} : { filter: qdrantFilter(filter) }),
        with_payload: true,
      })
    );
    return points.map(({ score, payload }) =>
      foundPoint(score, payload as unknown as PointPayload)
    );
  }

  remove(meshId: string, name: string, ids: readonly string[]): Promise<number> {
    return this.#changing(meshId, async () => {
      const collection = await this.#collection(meshId, name);
      const gone = await this.#known(collection, ids);
      if (gone === collection.points) {
        await this.#catalog.drop(meshId, collection);
        return gone;
      }
      await this.#client.delete(collection.key, {
        wait: true,
        points: ids.map((id) => hashedId(id)),
      });
      this.#catalog.counted(meshId, collection, collection.points - gone);
      return gone;
    });
  }

  async count(meshId: string, name: string, ids: readonly string[]): Promise<number> {
    const collection = await this.#collection(meshId, name);
    return await this.#asked(() => this.#known(collection, ids));
  }

  drop(meshId: string, name: string): Promise<number> {
    return this.#changing(meshId, async () => {
      const collection = await this.#collection(meshId, name);
      await this.#catalog.drop(meshId, collection);
      return collection.points;
    });
  }

  async ping(): Promise<void> {
    await this.#asked(() => this.#client.getCollections());
  }

  /** Requests under way end by themselves. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** @throws {VectorsError} `absent` */
  async #collection(meshId: string, name: string): Promise<QdrantCollection> {
    const collection = (await this.#asked(() => this.#catalog.of(meshId))).get(name);
    if (collection === undefined) throw new VectorsError("absent", "there is no such collection");
    return collection;
  }

  async #known({ key }: QdrantCollection, ids: readonly string[]): Promise<number> {
    const records = await this.#client.retrieve(key, {
      ids: ids.map((id) => hashedId(id)),
      with_payload: false,
      with_vector: false,
    });
    return records.length;
  }

  /** Runs a change of a mesh's collections after those before it. */
  #changing<T>(meshId: string, change: () => Promise<T>): Promise<T> {
    return this.#turns.take(meshId, async () => {
      try {
        return await this.#asked(change);
      } catch (error) {
        // Nobody knows how far it came, so the server has to be asked again.
        if (!(error instanceof VectorsError) || error.cause !== undefined) {
          this.#catalog.forget(meshId);
        }
        throw error;
      }
    });
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

/** @throws {VectorsError} `mismatch` */
function requireKind(collection: Collection, { embedding, dimensions }: CollectionKind): void {
  if (collection.embedding === embedding && collection.dimensions === dimensions) return;
  throw new VectorsError(
    "mismatch",
    `the collection is of ${collection.embedding} with ${collection.dimensions} dimensions`,
  );
}

function qdrantFilter(filter: Metadata) {
  return { must: factsOf(filter).map((fact) => ({ key: "facts", match: { value: fact } })) };
}

function payloadOf({ id, text, metadata, storedBy, storedAtMs }: Point): PointPayload {
  return {
    id,
    text,
    metadata: JSON.stringify(metadata),
    facts: factsOf(metadata),
    stored_by: storedBy,
    stored_at_ms: storedAtMs,
  };
}

function foundPoint(score: number, payload: PointPayload): FoundPoint {
  return {
    id: payload.id,
    text: payload.text,
    metadata: JSON.parse(payload.metadata),
    storedBy: payload.stored_by,
    storedAtMs: payload.stored_at_ms,
    score,
  };
}
