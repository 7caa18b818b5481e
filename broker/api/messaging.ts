/**
 * Sending, acknowledging and following messages. Frames: reference protocol 2.1 and 3.1.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { base64, clientMessageId, id, isoTime, priority, publicKey, target } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const ciphertext = base64.max(Math.ceil(LIMITS.messageBytes.value / 3) * 4);
const nonce = base64.max(64);

export const receiptState = z.enum(["stored", "held", "pushed", "received", "seen", "expired"]);
export type ReceiptState = z.infer<typeof receiptState>;

const receipt = z.object({
  name: z.string(),
  pubkey: publicKey.describe("The recipient's member key."),
  status: z.enum(["delivered", "held", "disconnected"]).describe("The original's coarse state."),
  state: receiptState,
  reason: z.string().optional().describe("Why a message is held."),
  at: isoTime.nullable(),
});

export const messaging = {
  send: op({
    wire: "send",
    reply: "ack",
    since: 1,
    summary: "Store a message for its recipients; answered after the commit.",
    grant: "member",
    rate: "send",
    audit: "message_sent",
    fails: ["not_found", "ambiguous_target", "queue_full", "stale_epoch"],
    input: z.object({
      id: z.string().max(128).optional().describe("Echoed in the ack."),
      targetSpec: target,
      priority: priority.default("next").describe(
        "now interrupts; next waits until the recipient is idle; low is only read on request.",
      ),
      nonce,
      ciphertext,
      client_message_id: clientMessageId.optional().describe(
        "Unique per sender; a repeat returns the first answer.",
      ),
      request_fingerprint: z.string().max(64).optional(),
      mentions: z.array(z.string().max(64)).max(16).optional(),
      replyToId: id.optional(),
      bodyVersion: z.int().min(1).max(2).default(1).describe("How the body is encrypted."),
      epoch: z.int().nonnegative().optional().describe("The mesh key's epoch, for groups."),
    }),
    output: z.object({
      id: z.string(),
      messageId: z.string(),
      queued: z.boolean(),
      recipients: z.int(),
    }),
    example: {
      input: {
        id: "1",
        targetSpec: "@all",
        priority: "next",
        nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
        ciphertext: "El43dP/W046OGNYsyoufuKjrHIqU3RwJz18=",
        client_message_id: "m-1",
        bodyVersion: 2,
        epoch: 1,
      },
      output: {
        id: "1",
        messageId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
        queued: true,
        recipients: 2,
      },
    },
  }),

  messageStatus: op({
    wire: "message_status",
    reply: "message_status_result",
    since: 1,
    summary: "Tell where a message that this member sent is, for each recipient.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found", "ambiguous_prefix"],
    verb: {
      path: "message-status",
      positionals: ["messageId"],
      examples: ["claudemesh message-status 4fQz81Lw", "claudemesh message-status 4fQz81Lw --json"],
    },
    tool: {
      name: "message_status",
      readOnly: true,
      reach: "one",
      description: "Look up what happened to a message you sent: its state for each recipient.",
      rename: { id: "messageId" },
    },
    input: z.object({
      messageId: z.string().min(8).max(128).describe(
        "Message id as returned when it was sent, or its first 8 or more characters.",
      ),
    }),
    output: z.object({
      messageId: z.string(),
      targetSpec: z.string(),
      priority,
      createdAt: isoTime,
      expiresAt: isoTime,
      delivered: z.boolean().describe("Every recipient's agent has it."),
      deliveredAt: isoTime.nullable(),
      recipients: z.array(receipt),
    }),
    example: {
      input: { messageId: "A1b2C3d4" },
      output: {
        messageId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
        targetSpec: "@all",
        priority: "next",
        createdAt: "2026-11-21T10:00:00.000Z",
        expiresAt: "2026-11-28T10:00:00.000Z",
        delivered: true,
        deliveredAt: "2026-11-21T10:00:00.004Z",
        recipients: [{
          name: "Ada",
          pubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
          status: "delivered",
          state: "received",
          at: "2026-11-21T10:00:00.004Z",
        }],
      },
    },
  }),

  clientAck: op({
    wire: "client_ack",
    reply: "client_acked",
    quiet: true,
    since: 1,
    summary: "Close deliveries that this member's agent has written to its inbox.",
    grant: "member",
    rate: "free",
    audit: null,
    fails: [],
    input: z.object({
      clientMessageId: z.string().max(128).optional(),
      brokerMessageId: z.string().max(64).optional(),
      brokerMessageIds: z.array(z.string().max(64)).max(1024).optional(),
    }),
    output: z.object({ closed: z.int() }),
    example: {
      input: { brokerMessageIds: ["A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8"] },
      output: { closed: 1 },
    },
  }),

  clientSeen: op({
    wire: "client_seen",
    reply: "client_seen_ack",
    quiet: true,
    since: 2,
    summary: "Report messages that were put before the model or the human.",
    grant: "member",
    rate: "free",
    audit: null,
    fails: [],
    input: z.object({ brokerMessageIds: z.array(z.string().max(64)).min(1).max(1024) }),
    output: z.object({ seen: z.int() }),
    example: {
      input: { brokerMessageIds: ["A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8"] },
      output: { seen: 1 },
    },
  }),
};

/** A delivery on its way to a recipient; kept until its `client_ack`. */
export const push = event({
  wire: "push",
  name: null,
  since: 1,
  summary: "A message; answer with client_ack once it is on disk.",
  data: z.object({
    messageId: z.string(),
    meshId: z.string(),
    senderPubkey: z.string().describe("The sending session's key, else the member key."),
    senderMemberPubkey: z.string(),
    senderMemberId: z.string(),
    senderName: z.string(),
    targetSpec: z.string(),
    toMember: z.string().optional().describe("The recipient's member key, for direct messages."),
    priority,
    nonce: z.string(),
    ciphertext: z.string(),
    bodyVersion: z.int(),
    epoch: z.int().optional(),
    createdAt: isoTime,
    expiresAt: isoTime.optional(),
    client_message_id: z.string().optional(),
    request_fingerprint: z.string().optional(),
    replyToId: z.string().optional(),
    subtype: z.string().optional(),
    reason: z.string().optional().describe("`hold_expired` after ten minutes of waiting."),
  }),
  example: {
    messageId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
    meshId: "mesh1",
    senderPubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
    senderMemberPubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
    senderMemberId: "member1",
    senderName: "Ada",
    targetSpec: "@all",
    priority: "next",
    nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ciphertext: "El43dP/W046OGNYsyoufuKjrHIqU3RwJz18=",
    bodyVersion: 2,
    epoch: 1,
    createdAt: "2026-11-21T10:00:00.000Z",
    client_message_id: "m-1",
  },
});

/** Several pushes in one frame, for clients that announce `batch`. */
export const pushBatch = event({
  wire: "push_batch",
  name: null,
  since: 2,
  summary: "Several pushes in one frame, in order.",
  data: z.object({ pushes: z.array(push.data).min(1) }),
  example: { pushes: [push.example] },
});

/** Several answers in one frame, for clients that announce `answer_batch`. */
export const answerBatch = event({
  wire: "answer_batch",
  name: null,
  since: 3,
  summary: "Several answers in one frame, in order, each with the `_reqId` or `id` of its request.",
  data: z.object({ answers: z.array(z.looseObject({ type: z.string() })).min(2) }),
  example: {
    answers: [
      { type: "ack", id: "m-1", messageId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8" },
      { type: "ack", id: "m-2", messageId: "B1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8" },
    ],
  },
});

export type Push = z.infer<typeof push.data>;
export type SendInput = z.output<typeof messaging.send.input>;
