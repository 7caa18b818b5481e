/**
 * What a mesh remembers for long. Frames: reference protocol 2.5. How a query is written stands in
 * `broker/features/memory_query.ts`.
 */
import * as z from "zod";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const tag = z.string().min(1).max(LIMITS.tagChars.value).regex(
  // deno-lint-ignore no-control-regex -- control characters are what it keeps out
  /^(?!\s)[^\u0000-\u001f\u007f-\u009f"]+(?<!\s)$/,
  "must have no quotes, no control characters and no blank at either end",
);
const tags = z.array(tag).max(LIMITS.tags.value);
const idOrPrefix = z.string().regex(/^[A-Za-z0-9]{4,64}$/, "must be an id or its first 4 or more");

const memoryEntry = z.object({
  id: z.string(),
  content: z.string(),
  tags: z.array(z.string()),
  rememberedBy: z.string().describe("The author's display name at that time."),
  rememberedAt: isoTime,
  memberId: z.string().describe("The author's member id."),
  sessionId: z.string().describe("The host's id of the author's session."),
  updatedBy: z.string().optional().describe("Who replaced its text last."),
  updatedAt: isoTime.optional(),
  expiresAt: isoTime.optional(),
});
export type MemoryEntry = z.infer<typeof memoryEntry>;

const example = {
  id: "3xVbT9kQ2mLp7RsWc5YhNd8FgJz4Ka6E",
  content: "Payments go live on Thursday; Ada holds the keys.",
  tags: ["payments", "release"],
  rememberedBy: "Ada",
  rememberedAt: "2026-11-21T10:00:00.000Z",
  memberId: "member1",
  sessionId: "session1",
};

export const memory = {
  remember: op({
    wire: "remember",
    reply: "memory_stored",
    since: 1,
    summary: "Keep a fact for every member, until it is forgotten or expires.",
    grant: "member",
    rate: "request",
    audit: "memory_stored",
    fails: ["not_found", "ambiguous_prefix", "limit"],
    tool: {
      name: "remember",
      reach: "one",
      description:
        "Keep what the mesh should still know in later sessions: decisions, conventions, causes of bugs.",
      rename: { replaces: "memoryId", expires_in_ms: "expiresInMs" },
    },
    input: z.object({
      content: z.string().min(1).max(LIMITS.memoryBytes.value).describe(
        "The fact, understandable by itself.",
      ),
      tags: tags.default([]).describe("Words to find it by."),
      expiresInMs: z.int().min(1_000).max(LIMITS.memoryLifeMs.value).optional().describe(
        "Milliseconds until it is erased; for ever without.",
      ),
      memoryId: idOrPrefix.optional().describe(
        "Id of a memory that this text replaces: yours, or any where you are an admin.",
      ),
    }),
    output: z.object({
      id: z.string(),
      replaced: z.boolean().describe("An older text of the same id was replaced."),
      expiresAt: isoTime.nullable(),
    }),
    example: {
      input: { content: example.content, tags: example.tags },
      output: { id: example.id, replaced: false, expiresAt: null },
    },
  }),
  recall: op({
    wire: "recall",
    reply: "memory_results",
    since: 1,
    summary: "Search what the mesh remembers, best matches first.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    tool: {
      name: "recall",
      reach: "one",
      readOnly: true,
      description: "Before you ask or decide: search the mesh's memory, best first. Words, " +
        '"a phrase", prefix*, -without, tag:name; empty: the newest.',
    },
    input: z.object({
      query: z.string().max(LIMITS.memoryQueryChars.value).describe("What to look for."),
      limit: z.int().min(1).max(LIMITS.memoryRows.value).default(20).describe("At most so many."),
      offset: z.int().min(0).max(LIMITS.memoriesRanked.value).default(0).describe(
        "Leaves out so many of the first.",
      ),
    }),
    output: z.object({
      memories: z.array(memoryEntry),
      matched: z.enum(["all", "any", "newest"]).describe(
        "What they have in common: all words, some of them because none has all, or no words were asked for.",
      ),
      matches: z.int().describe("How many match; of very many, the newest are counted and ranked."),
    }),
    example: {
      input: { query: 'payments tag:release "goes live"', limit: 20, offset: 0 },
      output: { memories: [example], matched: "all", matches: 1 },
    },
  }),
  forget: op({
    wire: "forget",
    reply: "ack",
    since: 1,
    summary: "Forget a memory; its author may, and owners and admins.",
    grant: "member",
    rate: "request",
    audit: "memory_forgotten",
    fails: ["not_found", "ambiguous_prefix"],
    tool: {
      name: "forget",
      reach: "one",
      description: "Remove a memory that is wrong or out of date.",
      rename: { id: "memoryId" },
    },
    input: z.object({
      memoryId: idOrPrefix.describe("The memory's id, or its first 4 or more characters."),
    }),
    output: z.object({ id: z.string(), messageId: z.string(), queued: z.literal(false) }),
    example: {
      input: { memoryId: "3xVbT9kQ" },
      output: { id: example.id, messageId: example.id, queued: false },
    },
  }),
};

export const memoryEvents = {};
