/**
 * Who is here and what they show of themselves. Frames: reference protocol 2.2 and 3.2.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { displayName, groups, isoTime, publicKey, role, status } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

export const stats = z.object({
  messagesIn: z.number().nonnegative().optional(),
  messagesOut: z.number().nonnegative().optional(),
  toolCalls: z.number().nonnegative().optional(),
  uptime: z.number().nonnegative().optional().describe("Seconds."),
  errors: z.number().nonnegative().optional(),
});

export const profile = z.object({
  avatar: z.string().max(512).optional().describe("An emoji or an image URL."),
  title: z.string().max(64).optional().describe("Short label for the role played."),
  bio: z.string().max(280).optional().describe("One line of self-description."),
  capabilities: z.array(z.string().max(64)).max(LIMITS.capabilities.value).optional().describe(
    "Things this peer can help with.",
  ),
});

export const peer = z.object({
  pubkey: publicKey.describe("The session key if there is one, else the member key."),
  memberPubkey: publicKey,
  memberId: z.string(),
  memberRole: role,
  displayName: z.string(),
  status,
  summary: z.string().nullable(),
  groups,
  sessionId: z.string(),
  connectedAt: isoTime,
  online: z.boolean().describe("False during the 90 s in which it may come back."),
  cwd: z.string().optional(),
  hostname: z.string().optional(),
  peerRole: z.enum(["control-plane", "session"]),
  peerType: z.string().optional(),
  channel: z.string().optional(),
  model: z.string().optional(),
  stats: stats.optional(),
  visible: z.boolean(),
  profile: profile.optional(),
});
export type Peer = z.infer<typeof peer>;
export type Profile = z.infer<typeof profile>;
export type Stats = z.infer<typeof stats>;

const acked = z.object({ id: z.string(), messageId: z.string(), queued: z.boolean() });
const ackExample = { id: "1", messageId: "", queued: false };

export const presence = {
  listPeers: op({
    wire: "list_peers",
    reply: "peers_list",
    since: 1,
    summary: "List who is connected, with what each peer is doing and how to reach it.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({ peers: z.array(peer) }),
    example: { input: {}, output: { peers: [] } },
  }),
  setStatus: op({
    wire: "set_status",
    reply: "status_set",
    quiet: true,
    since: 1,
    summary: "Set this session's availability.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "status set",
      positionals: ["status"],
      examples: ["claudemesh status set dnd", "claudemesh status set idle --mesh team"],
    },
    tool: {
      name: "set_status",
      reach: "every",
      description:
        "Set your availability by hand. dnd lets only now-priority messages through and no hook clears it.",
      hide: ["source"],
    },
    input: z.object({
      status: status.describe("New availability; dnd lets only now-priority messages through."),
      source: z.enum(["hook", "manual", "jsonl"]).default("manual").describe(
        "Where the value comes from: a host's hook, a person, or the transcript.",
      ),
    }),
    output: z.object({ status }),
    example: { input: { status: "dnd" }, output: { status: "dnd" } },
  }),
  setSummary: op({
    wire: "set_summary",
    reply: "summary_set",
    quiet: true,
    since: 1,
    summary: "Publish a short statement of the work in progress.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "profile summary",
      positionals: ["summary"],
      examples: ['claudemesh profile summary "Migrating the billing tables"'],
    },
    tool: {
      name: "set_summary",
      reach: "every",
      description: "Tell other peers in one or two sentences what you are working on.",
    },
    input: z.object({
      summary: z.string().max(LIMITS.summaryChars.value).default("").describe(
        "One or two sentences.",
      ),
    }),
    output: z.object({ summary: z.string() }),
    example: { input: { summary: "Fixing #12" }, output: { summary: "Fixing #12" } },
  }),
  setVisible: op({
    wire: "set_visible",
    reply: "ack",
    since: 1,
    summary: "Choose whether this session is listed.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "profile visible",
      positionals: ["visible"],
      examples: ["claudemesh profile visible false"],
    },
    tool: {
      name: "set_visible",
      reach: "every",
      description:
        "Show or hide this session. Hidden: not listed, no broadcasts or group messages; direct messages still arrive.",
    },
    input: z.object({
      visible: z.boolean().describe("true to be listed (the normal state), false to hide."),
    }),
    output: acked,
    example: { input: { visible: false }, output: ackExample },
  }),
  setProfile: op({
    wire: "set_profile",
    reply: "ack",
    since: 1,
    summary: "Set the public card shown beside this session's name.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    verb: {
      path: "profile set",
      positionals: [],
      examples: ['claudemesh profile set --title "Backend" --capabilities sql,deno'],
    },
    tool: {
      name: "set_profile",
      reach: "every",
      description: "Set the public card other peers see beside your name; no field clears it.",
    },
    input: profile,
    output: acked,
    example: { input: { title: "Backend" }, output: ackExample },
  }),
  setStats: op({
    wire: "set_stats",
    reply: "stats_set",
    quiet: true,
    since: 1,
    summary: "Report this session's counters.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({ stats }),
    output: z.object({ stats }),
    example: {
      input: { stats: { messagesIn: 1 } },
      output: { stats: { messagesIn: 1 } },
    },
  }),
  setDisplayName: op({
    wire: "set_display_name",
    reply: "display_name_set",
    since: 2,
    summary: "Change this member's display name in the mesh.",
    grant: "member",
    rate: "request",
    audit: "member_renamed",
    fails: [],
    verb: {
      path: "profile name",
      positionals: ["displayName"],
      examples: ["claudemesh profile name Ada --mesh team"],
    },
    input: z.object({ displayName: displayName.describe("The new name.") }),
    output: z.object({ displayName: z.string() }),
    example: { input: { displayName: "Ada" }, output: { displayName: "Ada" } },
  }),
};

const person = z.object({ name: z.string(), pubkey: z.string() });
const arrival = person.extend({
  memberPubkey: z.string().optional(),
  groups,
  peerRole: z.string().optional(),
});
const ada = {
  name: "Ada",
  pubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
};

function system<D extends z.ZodObject>(
  name: string,
  since: number,
  summary: string,
  data: D,
  example: z.input<D>,
) {
  return event({ wire: "push", name, since, summary, data, example });
}

export const presenceEvents = {
  peerJoined: system("peer_joined", 1, "A peer connected.", arrival, { ...ada, groups: [] }),
  peerReturned: system(
    "peer_returned",
    1,
    "A peer that was here before connected again.",
    arrival.extend({ lastSeenAt: isoTime.optional(), summary: z.string().optional() }),
    { ...ada, groups: [], lastSeenAt: "2026-11-21T10:00:00.000Z" },
  ),
  peersJoined: system(
    "peers_joined",
    2,
    "Many peers connected within a moment; the first are named.",
    z.object({ count: z.int(), peers: z.array(arrival) }),
    { count: 41, peers: [{ ...ada, groups: [] }] },
  ),
  peerLeft: system("peer_left", 1, "A peer is gone for good.", person, ada),
  peersLeft: system(
    "peers_left",
    2,
    "Many peers left within a moment; the first are named.",
    z.object({ count: z.int(), peers: z.array(person) }),
    { count: 41, peers: [ada] },
  ),
  peerVisible: system("peer_visible", 1, "A hidden peer is listed again.", person, ada),
  peerHidden: system("peer_hidden", 1, "A peer is no longer listed.", person, ada),
};
