/**
 * Which collections of the meshes there are at a Qdrant server: kept there in a collection of its own, a point each. A
 * mesh's are read when they are first asked for.
 */
import type { QdrantClient } from "@qdrant/js-client-rest";
import type { Collection, CollectionKind } from "./port.ts";
import { collectionKey, hashedId } from "./qdrant_wire.ts";

const CATALOG = "claudemesh_catalog";
/** The server wants a vector for every point. */
const NO_VECTOR = [1];
const PAGE = 1_000;

/** A collection and its name at the server. */
export interface QdrantCollection extends Collection {
  readonly key: string;
}

interface CatalogPayload {
  readonly mesh: string;
  readonly name: string;
  readonly embedding: string;
  readonly dimensions: number;
  readonly created_at_ms: number;
}

export class QdrantCatalog {
  readonly #client: QdrantClient;
  readonly #meshes = new Map<string, Promise<Map<string, QdrantCollection>>>();
  #made: Promise<void> | null = null;

  constructor(client: QdrantClient) {
    this.#client = client;
  }

  /** A mesh's collections by name; not to be changed by others. */
  of(meshId: string): Promise<ReadonlyMap<string, QdrantCollection>> {
    return this.#mesh(meshId);
  }

  /** Reads a mesh's collections again when they are next asked for. */
  forget(meshId: string): void {
    this.#meshes.delete(meshId);
  }

  /** Makes a collection: at the server first, so that what the catalog names is there. */
  async create(meshId: string, name: string, kind: CollectionKind): Promise<QdrantCollection> {
    const key = collectionKey(meshId, name);
    // What an earlier attempt left behind.
    if ((await this.#client.collectionExists(key)).exists) await this.#client.deleteCollection(key);
    await this.#client.createCollection(key, {
      vectors: { size: kind.dimensions, distance: "Cosine" },
    });
    await this.#client.createPayloadIndex(key, {
      wait: true,
      field_name: "facts",
      field_schema: "keyword",
    });
    const createdAtMs = Date.now();
    const payload: CatalogPayload = { mesh: meshId, name, ...kind, created_at_ms: createdAtMs };
    await this.#client.upsert(CATALOG, {
      wait: true,
      points: [{ id: hashedId(meshId, name), vector: NO_VECTOR, payload: { ...payload } }],
    });
    const collection = { key, name, ...kind, points: 0, createdAtMs };
    (await this.#mesh(meshId)).set(name, collection);
    return collection;
  }

  /** Removes a collection: from the catalog first, so that what it names is there. */
  async drop(meshId: string, { name, key }: QdrantCollection): Promise<void> {
    await this.#client.delete(CATALOG, { wait: true, points: [hashedId(meshId, name)] });
    await this.#client.deleteCollection(key);
    (await this.#mesh(meshId)).delete(name);
  }

  /** Notes how many points a collection has now. */
  counted(meshId: string, collection: QdrantCollection, points: number): void {
    void this.#meshes.get(meshId)?.then((known) => {
      known.set(collection.name, { ...collection, points });
    });
  }

  #mesh(meshId: string): Promise<Map<string, QdrantCollection>> {
    const known = this.#meshes.get(meshId);
    if (known !== undefined) return known;
    const read = this.#read(meshId);
    this.#meshes.set(meshId, read);
    read.catch(() => this.#meshes.delete(meshId));
    return read;
  }

  async #read(meshId: string): Promise<Map<string, QdrantCollection>> {
    await this.#ready();
    const collections = new Map<string, QdrantCollection>();
    let offset: Awaited<ReturnType<QdrantClient["scroll"]>>["next_page_offset"] = null;
    do {
      const page: Awaited<ReturnType<QdrantClient["scroll"]>> = await this.#client.scroll(CATALOG, {
        filter: { must: [{ key: "mesh", match: { value: meshId } }] },
        limit: PAGE,
        with_payload: true,
        ...(offset === null || offset === undefined ? {} : { offset }),
      });
      for (const { payload } of page.points) {
        const collection = await this.#counted(payload as unknown as CatalogPayload);
        // An empty one is what a failed attempt to store its first point left: the next one makes it anew.
        if (collection.points > 0) collections.set(collection.name, collection);
      }
      offset = page.next_page_offset;
    } while (offset !== null && offset !== undefined);
    return collections;
  }

  async #counted(payload: CatalogPayload): Promise<QdrantCollection> {
    const { mesh, name, embedding, dimensions, created_at_ms: createdAtMs } = payload;
    const key = collectionKey(mesh, name);
    const { count: points } = await this.#client.count(key, { exact: true });
    return { key, name, embedding, dimensions, points, createdAtMs };
  }

  #ready(): Promise<void> {
    this.#made ??= this.#make().catch((error) => {
      this.#made = null;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<void> {
    if ((await this.#client.collectionExists(CATALOG)).exists) return;
    await this.#client.createCollection(CATALOG, { vectors: { size: 1, distance: "Dot" } });
    await this.#client.createPayloadIndex(CATALOG, {
      wait: true,
      field_name: "mesh",
      field_schema: "keyword",
    });
  }
}
