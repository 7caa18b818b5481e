/**
 * Similarity search over texts. Frames: reference protocol 2.7; `vector_drop` is ours. The original stored zeros and
 * searched by substring (D54).
 */
import * as z from "zod";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { DATABASE_PATIENCE_MS, op } from "./op.ts";

const MOST_METADATA_DEPTH = 16;

const collection = name(LIMITS.vectorNameChars.value).describe(
  "The collection's name; its first text makes it.",
);
const embedding = z.array(z.number()).min(1).max(LIMITS.vectorDimensions.value);
const metadata = z.record(z.string(), z.unknown());
const givenMetadata = metadata.refine(isShallow, `must not be deeper than ${MOST_METADATA_DEPTH}`);

const found = z.object({
  id: z.string(),
  text: z.string(),
  score: z.number().describe("1 the same direction, 0 nothing in common."),
  metadata,
  storedBy: z.string().describe("The display name of who stored it."),
  storedAt: isoTime,
});
const kind = {
  embedding: z.string().describe(
    "What made the directions: `lexical-v1` (built in: words and their parts), `model:<name>` (the operator's), `caller`.",
  ),
  dimensions: z.int(),
};

const example = {
  id: "doc-7",
  text: "Failed payments are retried three times",
  metadata: { lang: "en" },
};

export const vectors = {
  vectorStore: op({
    wire: "vector_store",
    reply: "vector_stored",
    since: 3,
    summary: "Store a text so that it is found by what it is about; a known id is replaced.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: "vector_stored",
    fails: ["limit"],
    verb: {
      path: "vector store",
      positionals: ["collection", "text"],
      examples: [
        'claudemesh vector store notes "Failed payments are retried three times"',
        `claudemesh vector store notes "Die Rechnung kommt per Post" --id n2 --metadata '{"lang":"de"}'`,
      ],
    },
    tool: {
      name: "vector_store",
      reach: "one",
      description: "Keep a text for the mesh to find later by similarity, not by exact words.",
      hide: ["embedding"],
    },
    input: z.object({
      collection,
      text: z.string().max(LIMITS.vectorTextBytes.value).describe("The text."),
      metadata: givenMetadata.optional().describe("JSON to filter searches by."),
      id: name(LIMITS.vectorIdChars.value).optional().describe("To replace it later."),
      embedding: embedding.optional().describe(
        "The text's direction, from a model of your own; all of a collection or none.",
      ),
    }),
    output: z.object({
      id: z.string(),
      created: z.boolean().describe("False when it took another's place."),
      ...kind,
    }),
    example: {
      input: { collection: "notes", text: example.text, metadata: example.metadata },
      output: { id: "doc-7", created: true, embedding: "lexical-v1", dimensions: 1_536 },
    },
  }),
  vectorSearch: op({
    wire: "vector_search",
    reply: "vector_results",
    since: 3,
    summary: "Find the texts of a collection that are most like a query, nearest first.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: ["not_found"],
    verb: {
      path: "vector search",
      positionals: ["collection", "query"],
      examples: [
        "claudemesh vector search notes how are payments retried",
        `claudemesh vector search notes Rechnung --filter '{"lang":"de"}' --limit 3 --json`,
      ],
    },
    tool: {
      name: "vector_search",
      reach: "one",
      readOnly: true,
      description:
        "Find stored texts by what they are about. list_collections tells what there is.",
      hide: ["embedding"],
      rename: { offset: "skip" },
    },
    input: z.object({
      collection,
      query: z.string().max(LIMITS.vectorTextBytes.value).describe("What to look for."),
      limit: z.int().min(1).max(LIMITS.vectorResults.value).default(10).describe(
        "Most results.",
      ),
      filter: givenMetadata.refine(isFilter, "must be values, lists of values, or objects of them")
        .optional().describe("Only texts whose metadata contain this."),
      skip: z.int().min(0).max(LIMITS.vectorDepth.value - LIMITS.vectorResults.value).default(0)
        .describe("Nearest results to leave out."),
      embedding: embedding.optional().describe("The query's direction, where texts came with one."),
    }),
    output: z.object({
      results: z.array(found),
      more: z.boolean().describe("Cut: more of what was asked for follow after these."),
      ...kind,
    }),
    example: {
      input: { collection: "notes", query: "how are payments retried" },
      output: {
        results: [{
          ...example,
          score: 0.42,
          storedBy: "Ada",
          storedAt: "2026-11-21T10:00:00.000Z",
        }],
        more: false,
        embedding: "lexical-v1",
        dimensions: 1_536,
      },
    },
  }),
  vectorDelete: op({
    wire: "vector_delete",
    reply: "ack",
    quiet: true,
    since: 3,
    summary: "Delete a text; its collection goes with the last one.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: "vector_deleted",
    fails: ["not_found"],
    verb: {
      path: "vector delete",
      positionals: ["collection", "id"],
      examples: ["claudemesh vector delete notes n2"],
    },
    tool: { name: "vector_delete", reach: "one", description: "Delete a stored text by its id." },
    input: z.object({
      collection,
      id: name(LIMITS.vectorIdChars.value).describe("The text's id, of a search or its storing."),
    }),
    output: z.object({ id: z.string(), messageId: z.string(), queued: z.literal(false) }),
    example: {
      input: { collection: "notes", id: "doc-7" },
      output: { id: "doc-7", messageId: "doc-7", queued: false },
    },
  }),
  vectorDrop: op({
    wire: "vector_drop",
    reply: "vector_dropped",
    since: 3,
    summary: "Delete a collection with all its texts.",
    grant: "admin",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: "vector_collection_dropped",
    fails: ["not_found"],
    verb: {
      path: "vector drop",
      positionals: ["collection"],
      examples: ["claudemesh vector drop notes"],
    },
    input: z.object({ collection }),
    output: z.object({ collection: z.string(), points: z.int().describe("Texts that it had.") }),
    example: { input: { collection: "notes" }, output: { collection: "notes", points: 2 } },
  }),
  listCollections: op({
    wire: "list_collections",
    reply: "collection_list",
    since: 3,
    summary: "List the mesh's collections of texts.",
    grant: "member",
    rate: "request",
    patienceMs: DATABASE_PATIENCE_MS,
    audit: null,
    fails: [],
    verb: {
      path: "vector collections",
      positionals: [],
      examples: ["claudemesh vector collections"],
    },
    tool: {
      name: "list_collections",
      reach: "one",
      readOnly: true,
      description: "List the collections that vector_search can look in.",
    },
    input: z.object({}),
    output: z.object({
      collections: z.array(z.string()).describe("The names, in order."),
      details: z.array(
        z.object({
          name: z.string(),
          points: z.int().describe("How many texts it has."),
          ...kind,
          createdAt: isoTime,
        }),
      ),
    }),
    example: {
      input: {},
      output: {
        collections: ["notes"],
        details: [{
          name: "notes",
          points: 2,
          embedding: "lexical-v1",
          dimensions: 1_536,
          createdAt: "2026-11-21T10:00:00.000Z",
        }],
      },
    },
  }),
};

export const vectorsEvents = {};

/** A name or id: told apart exactly, so nothing in it may be invisible. */
function name(mostChars: number) {
  return z.string().min(1).max(mostChars).refine(
    (text) => !/^\s|\s$|[\p{C}\p{Zl}\p{Zp}]/u.test(text),
    "must have no control characters, and no blank at either end",
  );
}

/** Level by level: what strangers send may be nested deeper than the stack. */
function isShallow(value: object): boolean {
  let level: object[] = [value];
  for (let depth = 0; depth < MOST_METADATA_DEPTH; depth++) {
    level = level.flatMap((each) => Object.values(each)).filter((each) => Object(each) === each);
    if (level.length === 0) return true;
  }
  return false;
}

/** Lists of objects are no filter: whether one contains another is told differently by the stores. */
function isFilter(value: object): boolean {
  if (!isShallow(value)) return false;
  return Object.values(value).every((each: unknown) => {
    if (Array.isArray(each)) return each.every((item) => Object(item) !== item);
    return typeof each !== "object" || each === null || isFilter(each);
  });
}
