/**
 * Shared key-value state of a mesh. Frames: reference protocol 2.4. A key belongs to the member that first set it: that
 * member's grants (`state-read`, `state-write`) say who may see and change it; owners and admins always may.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { anyJson, isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

/** Keys of the broker's own events (`_context:Ada`) begin with this. */
export const RESERVED_PREFIX = "_";

export const stateKey = z.string().min(1).max(LIMITS.stateKeyChars.value).regex(
  // deno-lint-ignore no-control-regex -- control characters are what it keeps out
  /^[^_\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$/,
  "must have no control characters and not begin with _",
);

const entry = z.object({
  key: z.string(),
  value: anyJson.describe("Any JSON value."),
  revision: z.int().describe("Grows with each change; 0: not set."),
  updatedBy: z.string().describe("Display name of who set it last."),
  updatedAt: isoTime.describe("Empty when the key is not set."),
});

const example = {
  key: "sprint",
  value: 14,
  revision: 7,
  updatedBy: "Ada",
  updatedAt: "2026-11-21T10:00:00.000Z",
};

const ifRevision = z.int().nonnegative().optional().describe(
  "Only when the key is at this revision; 0: only when it is not set.",
);

export const state = {
  setState: op({
    wire: "set_state",
    reply: "state_set",
    quiet: true,
    since: 1,
    summary: "Set a key of the mesh's shared state.",
    grant: "member",
    rate: "request",
    audit: "state_set",
    fails: ["conflict", "limit"],
    verb: {
      path: "state set",
      positionals: ["key", "value"],
      examples: [
        "claudemesh state set sprint 14",
        "claudemesh state set lock '\"ada\"' --if-revision 0",
      ],
    },
    tool: {
      name: "set_state",
      reach: "one",
      description:
        "Share a live fact (current sprint, who holds a lock) under a key; every peer is told. if_revision makes it a compare-and-set.",
      rename: { if_revision: "ifRevision" },
    },
    input: z.object({
      key: stateKey.describe("Key to write."),
      value: anyJson.describe("Any JSON value."),
      ifRevision,
    }),
    output: entry,
    example: { input: { key: "sprint", value: 14 }, output: example },
  }),
  getState: op({
    wire: "get_state",
    reply: "state_result",
    since: 1,
    summary: "Read a key of the mesh's shared state.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: { path: "state get", positionals: ["key"], examples: ["claudemesh state get sprint"] },
    tool: {
      name: "get_state",
      reach: "one",
      readOnly: true,
      description: "Read one key of the shared state; revision 0 means that it is not set.",
    },
    input: z.object({
      key: z.string().min(1).max(LIMITS.stateKeyChars.value).describe("Key to read."),
    }),
    output: entry,
    example: { input: { key: "sprint" }, output: example },
  }),
  listState: op({
    wire: "list_state",
    reply: "state_list",
    since: 1,
    summary: "List the mesh's shared state.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "state list",
      positionals: [],
      examples: ["claudemesh state list", "claudemesh state list --prefix deploy/"],
    },
    tool: {
      name: "list_state",
      reach: "one",
      readOnly: true,
      description: "List the shared state, for orientation.",
      hide: ["limit"],
    },
    input: z.object({
      prefix: z.string().max(LIMITS.stateKeyChars.value).optional().describe(
        "Only keys that begin like this.",
      ),
      after: z.string().max(LIMITS.stateKeyChars.value).optional().describe(
        "Only keys after this one: `next` of the answer before.",
      ),
      limit: z.int().min(1).max(1_000).default(1_000).describe("At most so many."),
    }),
    output: z.object({
      entries: z.array(entry).describe("In the order of the keys."),
      next: z.string().optional().describe("There are more after this key."),
    }),
    example: { input: {}, output: { entries: [example] } },
  }),
  deleteState: op({
    wire: "delete_state",
    reply: "state_deleted",
    since: 3,
    summary: "Delete a key of the mesh's shared state.",
    grant: "member",
    rate: "request",
    audit: "state_deleted",
    fails: ["not_found", "conflict"],
    verb: {
      path: "state delete",
      positionals: ["key"],
      examples: ["claudemesh state delete sprint", "claudemesh state delete lock --if-revision 7"],
    },
    input: z.object({ key: stateKey.describe("Key to delete."), ifRevision }),
    output: z.object({ key: z.string(), revision: z.int().describe("The one that it had.") }),
    example: { input: { key: "sprint" }, output: { key: "sprint", revision: 7 } },
  }),
};

export const stateEvents = {
  stateChange: event({
    wire: "state_change",
    name: null,
    since: 1,
    summary: "A key was set or deleted; to every other connection that may read it.",
    data: z.object({
      key: z.string(),
      value: anyJson,
      updatedBy: z.string(),
      revision: z.int().optional(),
      updatedAt: isoTime.optional(),
      updatedBySession: z.string().optional().describe("The host's id of the session that did it."),
      deleted: z.literal(true).optional().describe("The key is gone; its value is null."),
    }),
    example: { ...example },
  }),
};

export type StateChange = z.input<typeof stateEvents.stateChange.data>;
