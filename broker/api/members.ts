/**
 * Members of a mesh and what owners and admins do about them. Frames: reference protocol 2.24; `leave_mesh`,
 * `list_members` and the grants over WebSocket are ours (5.5 has their meaning).
 */
import * as z from "zod";
import { event } from "./event.ts";
import { capability, groups, isoTime, publicKey, role } from "./fields.ts";
import { op } from "./op.ts";

const key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

export const member = z.object({
  memberId: z.string(),
  pubkey: publicKey,
  displayName: z.string(),
  role,
  joinedAt: isoTime,
  lastSeenAt: isoTime.nullable(),
  online: z.boolean(),
  sessions: z.int(),
  groups,
  bodyVersion: z.int().describe("The newest body version that its agent reads."),
  hasMeshKey: z.boolean().describe("Holds a sealed copy of the current epoch's key."),
  proven: z.boolean().describe("Joined by an invite secret, not by a bare code."),
});
export type Member = z.infer<typeof member>;

const byTarget = z.object({
  target: z.string().min(1).max(128).describe("A member's display name or full key."),
});
const kickInput = z.object({
  target: z.string().min(1).max(128).optional().describe("A member's display name or full key."),
  stale: z.int().positive().optional().describe("Everyone silent for this many milliseconds."),
  all: z.literal(true).optional().describe("Everyone but the caller."),
});
const kickOutput = z.object({
  kicked: z.array(z.string()),
  affected: z.array(z.string()),
  skipped_control_plane: z.array(z.string()).optional(),
});

const grantMap = z.record(publicKey, z.array(capability).max(6).nullable());

export const members = {
  listMembers: op({
    wire: "list_members",
    reply: "members_list",
    since: 2,
    summary: "List the members of the mesh, offline ones too.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({ members: z.array(member) }),
    example: { input: {}, output: { members: [] } },
  }),
  kick: op({
    wire: "kick",
    reply: "kick_ack",
    since: 1,
    summary: "Close a member's sessions; its program stops until it is started again.",
    grant: "admin",
    rate: "request",
    audit: "member_kicked",
    fails: ["not_found", "ambiguous_target"],
    input: kickInput,
    output: kickOutput,
    example: { input: { target: "Ada" }, output: { kicked: ["Ada"], affected: ["Ada"] } },
  }),
  disconnect: op({
    wire: "disconnect",
    reply: "disconnect_ack",
    since: 1,
    summary: "Close a member's sessions; they reconnect by themselves.",
    grant: "admin",
    rate: "request",
    audit: "member_disconnected",
    fails: ["not_found", "ambiguous_target"],
    input: kickInput,
    output: kickOutput,
    example: { input: { target: "Ada" }, output: { kicked: ["Ada"], affected: ["Ada"] } },
  }),
  ban: op({
    wire: "ban",
    reply: "ban_ack",
    since: 1,
    summary: "Remove a member for good and rotate the mesh key.",
    grant: "admin",
    rate: "request",
    audit: "member_banned",
    fails: ["not_found", "ambiguous_target"],
    verb: { path: "ban", positionals: ["target"], examples: ["claudemesh ban Mallory"] },
    input: byTarget.extend({ reason: z.string().max(280).optional().describe("For the audit.") }),
    output: z.object({ banned: z.string() }),
    example: { input: { target: "Mallory" }, output: { banned: "Mallory" } },
  }),
  unban: op({
    wire: "unban",
    reply: "unban_ack",
    since: 1,
    summary: "Let a banned member in again.",
    grant: "admin",
    rate: "request",
    audit: "member_unbanned",
    fails: ["not_found", "ambiguous_target"],
    verb: { path: "unban", positionals: ["target"], examples: ["claudemesh unban Mallory"] },
    input: byTarget,
    output: z.object({ unbanned: z.string() }),
    example: { input: { target: "Mallory" }, output: { unbanned: "Mallory" } },
  }),
  listBans: op({
    wire: "list_bans",
    reply: "list_bans_result",
    since: 1,
    summary: "List banned members.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: { path: "bans", positionals: [], examples: ["claudemesh bans --json"] },
    input: z.object({}),
    output: z.object({
      bans: z.array(z.object({ name: z.string(), pubkey: publicKey, revokedAt: isoTime })),
    }),
    example: { input: {}, output: { bans: [] } },
  }),
  leaveMesh: op({
    wire: "leave_mesh",
    reply: "mesh_left",
    since: 2,
    summary: "Leave the mesh; the mesh key is rotated.",
    grant: "member",
    rate: "request",
    audit: "member_left",
    fails: ["conflict"],
    input: z.object({}),
    output: z.object({ memberId: z.string() }),
    example: { input: {}, output: { memberId: "member1" } },
  }),
  setGrants: op({
    wire: "set_grants",
    reply: "grants",
    since: 2,
    summary:
      "Set what other members may do to this member: key -> capabilities, null for the defaults.",
    grant: "member",
    rate: "request",
    audit: "grants_set",
    fails: ["not_found", "limit"],
    input: z.object({ grants: grantMap }),
    output: z.object({ grants: grantMap }),
    example: { input: { grants: { [key]: [] } }, output: { grants: { [key]: [] } } },
  }),
  getGrants: op({
    wire: "get_grants",
    reply: "grants",
    since: 2,
    summary: "Read this member's grants.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({ grants: grantMap }),
    example: { input: {}, output: { grants: { [key]: ["read", "dm"] } } },
  }),
};

const person = z.object({ memberId: z.string(), name: z.string(), pubkey: publicKey });
const ada = { memberId: "member1", name: "Ada", pubkey: key };

export const memberEvents = {
  memberAdded: event({
    wire: "push",
    name: "member_added",
    since: 2,
    summary: "Somebody joined the mesh by an invite.",
    data: person.extend({ role, proven: z.boolean() }),
    example: { ...ada, role: "member" as const, proven: true },
  }),
  memberRemoved: event({
    wire: "push",
    name: "member_removed",
    since: 2,
    summary: "A member left or was banned.",
    data: person.extend({ reason: z.enum(["left", "banned"]) }),
    example: { ...ada, reason: "left" as const },
  }),
  memberRenamed: event({
    wire: "push",
    name: "member_renamed",
    since: 2,
    summary: "A member changed its display name.",
    data: person,
    example: ada,
  }),
};
