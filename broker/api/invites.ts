/**
 * Invitations: made by owners and admins, claimed over HTTP (`broker/http`). Format: reference protocol 4.8; the link's
 * secret never reaches the broker but sealed under the mesh key, so that any member that may invite can check a claim.
 */
import * as z from "zod";
import { base64, custody, displayName, groups, id, isoTime, milliseconds } from "./fields.ts";
import { publicKey, role, signature } from "./fields.ts";
import { op } from "./op.ts";

const code = z.string().regex(/^[A-Za-z0-9]{6,16}$/);
const inviteRole = z.enum(["admin", "member"]);
const key = "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1";

const invite = z.object({
  inviteId: id,
  code,
  role: inviteRole,
  maxUses: z.int(),
  usedCount: z.int(),
  expiresAt: isoTime,
  revokedAt: isoTime.nullable(),
  createdBy: z.string(),
});

export const invites = {
  createInvite: op({
    wire: "create_invite",
    reply: "invite_created",
    since: 2,
    summary: "Register an invite that the caller's agent has made and signed.",
    grant: "admin",
    rate: "request",
    audit: "invite_created",
    fails: ["already_exists", "bad_signature", "limit"],
    input: z.object({
      inviteId: id,
      code,
      role: inviteRole.default("member"),
      maxUses: z.int().min(1).max(1000).default(1),
      expiresAt: milliseconds.describe("Milliseconds; whole seconds, at most a year ahead."),
      canonical: z.string().max(512),
      signature,
      sealedSecret: base64.max(512).describe("The link's secret under the mesh key, or empty."),
      epoch: z.int().nonnegative(),
      preset: z.object({ groups: groups.optional() }).optional(),
    }),
    output: z.object({
      inviteId: z.string(),
      code: z.string(),
      url: z.string(),
      expiresAt: isoTime,
    }),
    example: {
      input: {
        inviteId: "inv_1",
        code: "Ab3dE6gH",
        role: "member",
        maxUses: 1,
        expiresAt: 1767830400000,
        canonical: `v=2|mesh_1|inv_1|1767830400|member|${key}`,
        signature: "0".repeat(128),
        sealedSecret: "",
        epoch: 1,
      },
      output: {
        inviteId: "inv_1",
        code: "Ab3dE6gH",
        url: "http://127.0.0.1:8787/i/Ab3dE6gH",
        expiresAt: "2026-01-08T00:00:00.000Z",
      },
    },
  }),
  listInvites: op({
    wire: "list_invites",
    reply: "invites_list",
    since: 2,
    summary: "List the invites of the mesh.",
    grant: "admin",
    rate: "request",
    audit: null,
    fails: [],
    verb: { path: "invites list", positionals: [], examples: ["claudemesh invites list"] },
    input: z.object({}),
    output: z.object({ invites: z.array(invite) }),
    example: { input: {}, output: { invites: [] } },
  }),
  revokeInvite: op({
    wire: "revoke_invite",
    reply: "invite_revoked",
    since: 2,
    summary: "Revoke an invite.",
    grant: "admin",
    rate: "request",
    audit: "invite_revoked",
    fails: ["not_found"],
    verb: {
      path: "invites revoke",
      positionals: ["code"],
      examples: ["claudemesh invites revoke Ab3dE6gH"],
    },
    input: z.object({ code: code.describe("The invite's code.") }),
    output: z.object({ code: z.string() }),
    example: { input: { code: "Ab3dE6gH" }, output: { code: "Ab3dE6gH" } },
  }),
};

/** Body of `POST /invites/:code/claim`. */
export const claimBody = z.object({
  peer_pubkey: publicKey,
  recipient_x25519_pubkey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  display_name: displayName,
  timestamp: milliseconds,
  signature,
  mac: z.string().regex(/^[0-9a-f]{64}$/).optional(),
});

/** Answer of `POST /invites/:code/claim`. */
export const claimResult = z.object({
  mesh_id: z.string(),
  slug: z.string(),
  name: z.string(),
  broker_url: z.string(),
  member_id: z.string(),
  role: role.describe("The member's role; one that was a member before keeps its own."),
  owner_pubkey: publicKey,
  inviter_pubkey: publicKey,
  custody,
  canonical_v2: z.string(),
  signature,
  epoch: z.int(),
  already_member: z.boolean(),
  sealed_root_key: z.string().nullable().describe(
    "Custody `broker`: the mesh key sealed to the joiner, base64url. Custody `members`: null until a member hands it over.",
  ),
});
export type ClaimBody = z.infer<typeof claimBody>;
export type ClaimResult = z.infer<typeof claimResult>;

/**
 * Text that a joiner by a version 1 token signs with its member key: the original asked for no proof that the joiner
 * has the key it names (D70). The name comes last, since it may hold the separator.
 */
export function joinText(
  body: { invite_token: string; peer_pubkey: string; timestamp: number; display_name: string },
): string {
  const { invite_token: token, peer_pubkey: pubkey, timestamp, display_name: name } = body;
  return `claudemesh-join|v1|${token}|${pubkey}|${timestamp}|${name}`;
}

/** Body of `POST /join` (reference protocol 4.7). The proof may be missing in compat mode only. */
export const joinBody = z.object({
  invite_token: z.string().regex(/^[A-Za-z0-9_-]{21,4096}$/),
  invite_payload: z.record(z.string(), z.unknown()).optional().describe(
    "What the token holds; it must be the same.",
  ),
  peer_pubkey: publicKey,
  display_name: displayName,
  timestamp: milliseconds.optional(),
  signature: signature.optional().describe("By peer_pubkey over `joinText`."),
});

/** Answer of `POST /join`. */
export const joinResult = z.object({
  ok: z.literal(true),
  memberId: z.string(),
  alreadyMember: z.literal(true).optional(),
  meshId: z.string(),
  slug: z.string(),
  name: z.string(),
  role,
  ownerPubkey: publicKey,
  custody,
  epoch: z.int(),
  brokerUrl: z.string(),
});
export type JoinBody = z.infer<typeof joinBody>;
export type JoinResult = z.infer<typeof joinResult>;
