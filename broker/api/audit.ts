/**
 * The audit chain of a mesh, for its members: every row names the hash before it, so that whoever reads it can verify it
 * without trusting the broker. Frames: reference protocol 2.22; the hash: 9.12.
 */
import * as z from "zod";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const entry = z.object({
  id: z.int().describe("Grows along the chain."),
  eventType: z.string(),
  actor: z.string().nullable().describe("Display name of who did it; null: the broker itself."),
  actorMemberId: z.string().nullable(),
  payload: z.record(z.string(), z.unknown()).describe("Ids and sizes, never content."),
  prevHash: z.string().describe("Of the row before, `genesis` of the first."),
  hash: z.string().describe("64 hex digits."),
  createdAt: isoTime,
});
export type AuditShown = z.infer<typeof entry>;

export const audit = {
  auditQuery: op({
    wire: "audit_query",
    reply: "audit_result",
    since: 1,
    summary: "Read the audit log, newest first, or along the chain from a row on.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "audit list",
      positionals: [],
      examples: ["claudemesh audit list", "claudemesh audit list --event-type member_banned"],
    },
    input: z.object({
      limit: z.int().min(1).max(LIMITS.auditPage.value).default(50).describe("At most so many."),
      offset: z.int().min(0).max(LIMITS.auditOffset.value).default(0).describe(
        "How many to leave out, newest first.",
      ),
      eventType: z.string().max(64).optional().describe(
        "Only events of this kind, among the newest 20,000.",
      ),
      after: z.int().nonnegative().optional().describe(
        "Rows after this id, oldest first; for reading the whole chain.",
      ),
    }),
    output: z.object({
      entries: z.array(entry),
      total: z.int().describe("Rows of this kind; not counted beyond 10,000."),
    }),
    example: {
      input: { limit: 1 },
      output: {
        entries: [{
          id: 1,
          eventType: "mesh_created",
          actor: "Ada",
          actorMemberId: "member1",
          payload: {},
          prevHash: "genesis",
          hash: "294ee9ff5458cb5c2b13465a8a84dc7b61447ffe4fa355e9bf00252022eff0f0",
          createdAt: "2026-11-21T10:00:00.000Z",
        }],
        total: 1,
      },
    },
  }),
  auditVerify: op({
    wire: "audit_verify",
    reply: "audit_verify_result",
    since: 1,
    summary:
      "Let the broker verify the chain; `claudemesh audit verify` does it without trusting it.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({
      valid: z.boolean(),
      entries: z.int().describe("Rows that were verified."),
      head: z.string().describe("The newest hash, `genesis` of an empty chain."),
      brokenAt: z.int().optional().describe("Id of the first row that does not fit."),
    }),
    example: {
      input: {},
      output: {
        valid: true,
        entries: 1,
        head: "294ee9ff5458cb5c2b13465a8a84dc7b61447ffe4fa355e9bf00252022eff0f0",
      },
    },
  }),
};

export const auditEvents = {};
