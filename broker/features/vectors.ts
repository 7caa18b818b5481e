/**
 * Similarity search over texts. Their store commits on its own, so what may change it is on record before.
 */
import { type FoundPoint, VectorsError } from "../../storage/vectors/port.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import type { vectors as contract } from "../api/vectors.ts";
import type { Call } from "../core/context.ts";
import type { AuditEntry } from "../core/ledger.ts";

/** Digits of a score that mean something: the store keeps directions at half precision. */
const SCORE_DIGITS = 4;

const encoder = new TextEncoder();

export const vectors: Handlers<typeof contract, Call> = {
  async vectorStore(call, { collection, text, metadata = {}, id, embedding }) {
    const { broker, connection: { mesh, member } } = call;
    const { clock, random, settings: { limits }, stores } = broker;
    const bytes = requireSize("text", text, limits.vectorTextBytes);
    requireSize("metadata", JSON.stringify(metadata), limits.vectorMetadataBytes);
    const known = await told(call, collection, stores.vectors.collection(mesh.id, collection));
    const embedded = await stores.embedder.embed({ text, embedding }, known);
    const { vector } = embedded;
    const kind = { embedding: embedded.embedding, dimensions: vector.length };
    const point = {
      id: id ?? random.id(),
      text,
      metadata,
      vector,
      storedBy: member.displayName,
      storedAtMs: clock.now(),
    };
    await record(call, "vector_stored", { collection, id: point.id, bytes, ...kind });
    const bounds = { collections: limits.vectorCollections, points: limits.vectorPoints };
    const storing = stores.vectors.store(mesh.id, collection, kind, [point], bounds);
    const created = await told(call, collection, storing);
    return { id: point.id, created: created > 0, ...kind };
  },

  async vectorSearch(call, { collection, query, limit, filter = null, skip, embedding }) {
    const { broker: { settings: { limits }, stores }, connection: { mesh } } = call;
    requireSize("query", query, limits.vectorTextBytes);
    requireSize("filter", JSON.stringify(filter), limits.vectorMetadataBytes);
    const known = await requireCollection(call, collection);
    const embedded = await stores.embedder.embed({ text: query, embedding }, known);
    const { vector } = embedded;
    const searching = stores.vectors.search(mesh.id, collection, { vector, limit, skip, filter });
    const found = await told(call, collection, searching);
    const results = thatFit(found.map(shown), limits.vectorAnswerBytes);
    return {
      results,
      more: results.length < found.length,
      embedding: known.embedding,
      dimensions: known.dimensions,
    };
  },

  async vectorDelete(call, { collection, id }) {
    const { broker: { stores }, connection: { mesh } } = call;
    await requireCollection(call, collection);
    if (await told(call, collection, stores.vectors.count(mesh.id, collection, [id])) === 0) {
      throw missing(collection, id);
    }
    await record(call, "vector_deleted", { collection, id });
    const removed = await told(call, collection, stores.vectors.remove(mesh.id, collection, [id]));
    if (removed === 0) throw missing(collection, id);
    return { id, messageId: id, queued: false };
  },

  async vectorDrop(call, { collection }) {
    const { broker: { stores }, connection: { mesh } } = call;
    await requireCollection(call, collection);
    await record(call, "vector_collection_dropped", { collection });
    const points = await told(call, collection, stores.vectors.drop(mesh.id, collection));
    return { collection, points };
  },

  async listCollections({ broker: { stores }, connection: { mesh } }) {
    const collections = await stores.vectors.collections(mesh.id);
    return {
      collections: collections.map(({ name }) => name),
      details: collections.map(({ createdAtMs, ...collection }) => ({
        ...collection,
        createdAt: new Date(createdAtMs).toISOString(),
      })),
    };
  },
};

async function record(
  { broker, connection: { mesh, member } }: Call,
  event: string,
  payload: AuditEntry["payload"],
): Promise<void> {
  await broker.ledger.append({
    mesh,
    statements: [],
    audits: [{ event, actor: member, payload }],
  });
}

async function requireCollection(call: Call, name: string) {
  const { broker: { stores }, connection: { mesh } } = call;
  const collection = await told(call, name, stores.vectors.collection(mesh.id, name));
  if (collection === null) throw absent(name);
  return collection;
}

function absent(name: string): MeshError {
  return new MeshError(
    "not_found",
    `there is no collection "${name}"; list_collections tells which there are`,
  );
}

function missing(collection: string, id: string): MeshError {
  return new MeshError(
    "not_found",
    `the collection "${collection}" has no text with the id "${id}"`,
  );
}

/** @returns the bytes of `text`. */
function requireSize(field: string, text: string, limit: number): number {
  // Most are far below the limit, and need no count.
  const bytes = encoder.encode(text).length;
  if (bytes <= limit) return bytes;
  throw new MeshError("too_large", `${field}: ${bytes} bytes, at most ${limit}`, {
    data: { limit, field },
  });
}

function shown({ storedAtMs, score, ...point }: FoundPoint) {
  return {
    ...point,
    score: Number(score.toFixed(SCORE_DIGITS)),
    storedAt: new Date(storedAtMs).toISOString(),
  };
}

/** The first results that fit one answer; at least one while there is one. */
function thatFit<Result>(results: readonly Result[], mostBytes: number): Result[] {
  const fitting: Result[] = [];
  let bytes = 0;
  for (const result of results) {
    bytes += encoder.encode(JSON.stringify(result)).length;
    if (bytes > mostBytes && fitting.length > 0) break;
    fitting.push(result);
  }
  return fitting;
}

/** What a store answers, or its refusal in words for the caller. */
async function told<T>(call: Call, collection: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw error instanceof VectorsError ? refusal(call, collection, error) : error;
  }
}

function refusal({ broker }: Call, collection: string, error: VectorsError): MeshError {
  const { vectorCollections, vectorPoints } = broker.settings.limits;
  switch (error.kind) {
    case "absent":
      return absent(collection);
    case "mismatch":
      return new MeshError(
        "invalid_argument",
        `"${collection}": ${error.message}; use another collection`,
        { data: { field: "collection" } },
      );
    case "collections":
      return new MeshError(
        "limit",
        `a mesh has at most ${vectorCollections} collections; drop one first`,
        { data: { limit: vectorCollections } },
      );
    case "points":
      return new MeshError(
        "limit",
        `a mesh keeps at most ${vectorPoints} texts; delete some first`,
        {
          data: { limit: vectorPoints },
        },
      );
    case "unavailable":
      return new MeshError("unavailable", "the vector store does not answer; try again shortly", {
        data: { retry_after_ms: 1_000 },
        cause: error,
      });
    case "full":
      return new MeshError("storage_full", "the vector store is full; its operator must act", {
        data: { retry_after_ms: 10_000 },
        cause: error,
      });
    case "other":
      return new MeshError("internal", "the vector store failed", { cause: error });
  }
}
