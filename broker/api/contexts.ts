/**
 * What each session works on: what it read, found out and would tell a colleague. Frames: reference protocol 2.11.
 */
import * as z from "zod";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const tags = z.array(z.string().min(1).max(LIMITS.tagChars.value)).max(LIMITS.tags.value);
const files = z.array(z.string().min(1).max(1_024)).max(LIMITS.contextItems.value);
const findings = z.array(z.string().min(1).max(1_024)).max(LIMITS.contextItems.value);
const limit = z.int().min(1).max(100);
const offset = z.int().nonnegative().default(0).describe("How many to leave out, newest first.");

const listed = z.object({
  peerName: z.string(),
  memberId: z.string(),
  sessionId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()),
  updatedAt: isoTime,
});
const more = z.boolean().describe("There are more behind these: go on with offset.");
const whole = listed.extend({
  filesRead: z.array(z.string()),
  keyFindings: z.array(z.string()),
});

const example = {
  peerName: "Ada",
  memberId: "member1",
  sessionId: "s1",
  summary: "The billing tables are migrated up to invoices",
  tags: ["billing"],
  updatedAt: "2026-11-21T10:00:00.000Z",
};

export const contexts = {
  shareContext: op({
    wire: "share_context",
    reply: "context_shared",
    since: 1,
    summary: "Share what this session works on, in the place of what it shared before.",
    grant: "member",
    rate: "request",
    audit: "context_shared",
    fails: [],
    verb: {
      path: "context share",
      positionals: ["summary"],
      examples: ['claudemesh context share "Invoices are migrated" --files-read db/invoices.sql'],
    },
    tool: {
      name: "share_context",
      reach: "one",
      description:
        "Tell peers what you have read and found out, so that they need not do it again; replaces what you shared before.",
      rename: { files_read: "filesRead", key_findings: "keyFindings" },
    },
    input: z.object({
      summary: z.string().min(1).max(LIMITS.contextSummaryChars.value).describe(
        "What you know now.",
      ),
      filesRead: files.default([]).describe("Paths that were read."),
      keyFindings: findings.default([]).describe("What was found out, one each."),
      tags: tags.default([]).describe("Labels for search."),
    }),
    output: z.object({ id: z.string() }),
    example: { input: { summary: example.summary }, output: { id: "context1" } },
  }),
  getContext: op({
    wire: "get_context",
    reply: "context_results",
    since: 1,
    summary: "Find what peers know: by words of the summary or findings, by tag or by file path.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "context get",
      positionals: ["query"],
      examples: ["claudemesh context get invoices.sql"],
    },
    tool: {
      name: "get_context",
      reach: "one",
      readOnly: true,
      description:
        "Before you read into something: see whether a peer already has. Searches summaries, findings, tags and file paths.",
      hide: ["offset", "limit"],
    },
    input: z.object({
      query: z.string().min(1).max(512).describe("A file path, a tag or words."),
      limit: limit.default(20).describe("At most so many."),
      offset,
    }),
    output: z.object({ contexts: z.array(whole).describe("Newest first."), more }),
    example: {
      input: { query: "billing" },
      output: { contexts: [{ ...example, filesRead: [], keyFindings: [] }], more: false },
    },
  }),
  listContexts: op({
    wire: "list_contexts",
    reply: "context_list",
    since: 1,
    summary: "List what peers work on, newest first.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: { path: "context list", positionals: [], examples: ["claudemesh context list"] },
    tool: {
      name: "list_contexts",
      reach: "one",
      readOnly: true,
      description: "See what every peer has shared about its work.",
      hide: ["offset", "limit"],
    },
    input: z.object({ limit: limit.default(100).describe("At most so many."), offset }),
    output: z.object({ contexts: z.array(listed).describe("Newest first."), more }),
    example: { input: {}, output: { contexts: [example], more: false } },
  }),
};

export const contextsEvents = {};
