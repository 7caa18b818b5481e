/**
 * The handshake: `hello` (an agent's control connection, or a whole session of a plain client) and `session_hello` (one
 * per session, vouched for by the member key). Formats: reference protocol 1.2 to 1.5; ours are the added fields.
 */
import * as z from "zod";
import {
  base64,
  custody,
  displayName,
  groups,
  id,
  isoTime,
  messageMode,
  milliseconds,
  publicKey,
  role,
  signature,
} from "./fields.ts";

const where = {
  sessionId: z.string().min(1).max(128).describe("Names the session over restarts."),
  pid: z.int().nonnegative(),
  cwd: z.string().max(4096),
  hostname: z.string().max(255).optional(),
  peerType: z.enum(["ai", "human", "connector", "bridge"]).optional(),
  channel: z.string().max(64).optional(),
  model: z.string().max(128).optional(),
  displayName: displayName.optional(),
  groups: groups.optional(),
};

const negotiation = {
  protocolVersion: z.int().optional(),
  /**
   * `acks`: answers pushes with client_ack; `batch`: understands push_batch; `answer_batch`: understands that;
   * `body2`: reads body version 2.
   */
  capabilities: z.array(z.string().max(32)).max(32).optional(),
  _reqId: z.string().max(128).optional(),
};

export const attestation = z.object({
  sessionPubkey: publicKey,
  parentMemberPubkey: publicKey,
  expiresAt: milliseconds,
  signature: signature.describe("By the member key over the reference's text."),
  meshSignature: signature.optional().describe("By the member key over the text with the mesh id."),
});

export const hello = z.object({
  type: z.literal("hello"),
  ...negotiation,
  meshId: id,
  memberId: z.string().max(64),
  pubkey: publicKey,
  sessionPubkey: z.string().max(64).optional(),
  parentAttestation: attestation.optional(),
  sessionSignature: signature.optional().describe("By the session key, as in session_hello."),
  ...where,
  timestamp: milliseconds,
  signature,
});

export const sessionHello = z.object({
  type: z.literal("session_hello"),
  ...negotiation,
  meshId: id,
  parentMemberId: z.string().max(64),
  parentMemberPubkey: z.string().max(64),
  sessionPubkey: z.string().max(64),
  parentAttestation: attestation,
  ...where,
  role: z.string().max(64).optional(),
  timestamp: milliseconds,
  signature,
});

export const helloAck = z.object({
  type: z.literal("hello_ack"),
  _reqId: z.string().optional(),
  presenceId: z.string(),
  protocolVersion: z.int(),
  capabilities: z.array(z.string()),
  memberId: z.string(),
  memberDisplayName: z.string(),
  memberRole: role,
  memberProfile: z.object({
    roleTag: z.string().nullable(),
    groups,
    messageMode,
  }),
  mesh: z.object({
    id: z.string(),
    slug: z.string(),
    name: z.string(),
    ownerPubkey: publicKey,
    custody,
    epoch: z.int(),
    rekeyNeeded: z.boolean(),
    publicUrl: z.string(),
  }),
  limits: z.object({ sendsPerMinute: z.int(), sendBurst: z.int(), messageBytes: z.int() }),
  restored: z.boolean().optional(),
  lastSummary: z.string().optional(),
  lastSeenAt: isoTime.optional(),
  restoredGroups: groups.optional(),
  services: z.array(z.never()).optional(),
});

/** A member's sealed copy of an epoch key, with the proof of who made the epoch. */
export const rotationProof = z.object({
  by: publicKey,
  keyHash: z.string().regex(/^[0-9a-f]{64}$/),
  signature,
  mac: z.string().regex(/^[0-9a-f]{64}$/).nullable(),
});

export const sealedKey = base64.max(1024);

export type Hello = z.infer<typeof hello>;
export type SessionHello = z.infer<typeof sessionHello>;
export type HelloAck = z.infer<typeof helloAck>;
