/**
 * Invite version 1 (protocol.md 4.7): a long token that carries a mesh's address, its root key and
 * the owner's signature. Such tokens are read, never handed out; encoding serves tests and vectors.
 *
 * A good signature proves only that the token is of one piece: the owner key stands in the token
 * itself.
 */
import { fromBase64Url, toBase64Url, utf8Decode, utf8Encode } from "./bytes.ts";
import { isPublicKey, isSignature, publicKeyOf, sign, verify } from "./sign.ts";

/** What the owner signs in an invite version 1. */
export interface InviteV1Fields {
  /** mesh id */
  meshId: string;
  /** the mesh's short name */
  meshSlug: string;
  /** WebSocket address of the broker */
  brokerUrl: string;
  /** seconds since 1970 */
  expiresAtUnixS: number;
  /** 32 bytes, base64url; it never encrypted anything */
  meshRootKey: string;
  /** role that the joiner gets */
  role: "admin" | "member";
  /** 64 hex */
  ownerPubkey: string;
}

/** An invite version 1 with its signature. */
export interface InviteV1 extends InviteV1Fields {
  /** by the owner key over `inviteV1Text`, 128 hex */
  signature: string;
}

/** Why a token is not accepted. */
export type InviteV1Refusal = "malformed" | "expired" | "bad_signature";

/** A good invite, or the first reason why it is none. */
export type InviteV1Result = { ok: true; invite: InviteV1 } | {
  ok: false;
  reason: InviteV1Refusal;
};

/** Upper bound of a token's length in characters. */
export const MAX_INVITE_V1_LENGTH = 4096;

/** The text that the owner signs (protocol.md 4.7, frozen). */
export function inviteV1Text(invite: InviteV1Fields): string {
  const { meshId, meshSlug, brokerUrl, expiresAtUnixS, meshRootKey, role, ownerPubkey } = invite;
  const where = `${meshId}|${meshSlug}|${brokerUrl}`;
  return `1|${where}|${expiresAtUnixS}|${meshRootKey}|${role}|${ownerPubkey}`;
}

/**
 * Signs an invite with the owner's key. Throws TypeError when the fields are malformed or not its.
 */
export function signInviteV1(
  fields: Omit<InviteV1Fields, "ownerPubkey">,
  ownerSecretKey: string,
): InviteV1 {
  const unsigned = { ...fields, ownerPubkey: publicKeyOf(ownerSecretKey) };
  const invite = { ...unsigned, signature: sign(inviteV1Text(unsigned), ownerSecretKey) };
  if (!isInvite(invite)) throw new TypeError("a field of this invite is missing or malformed");
  return invite;
}

/** The token of a signed invite: base64url of its JSON, keys in the order of protocol.md 4.7. */
export function encodeInviteV1(invite: InviteV1): string {
  return toBase64Url(utf8Encode(JSON.stringify({
    v: 1,
    mesh_id: invite.meshId,
    mesh_slug: invite.meshSlug,
    broker_url: invite.brokerUrl,
    expires_at: invite.expiresAtUnixS,
    mesh_root_key: invite.meshRootKey,
    role: invite.role,
    owner_pubkey: invite.ownerPubkey,
    signature: invite.signature,
  })));
}

/** Reads a token and checks shape, expiry at `nowMs` and signature, in this order. Never throws. */
export function parseInviteV1(token: string, nowMs: number): InviteV1Result {
  const invite = decodeToken(token);
  if (invite === null) return { ok: false, reason: "malformed" };
  if (invite.expiresAtUnixS * 1000 <= nowMs) return { ok: false, reason: "expired" };
  if (!verify(inviteV1Text(invite), invite.signature, invite.ownerPubkey)) {
    return { ok: false, reason: "bad_signature" };
  }
  return { ok: true, invite };
}

function decodeToken(token: string): InviteV1 | null {
  if (token.length > MAX_INVITE_V1_LENGTH) return null;
  let payload: unknown;
  try {
    payload = JSON.parse(utf8Decode(fromBase64Url(token)));
  } catch {
    // Not base64url, not UTF-8 or not JSON: no token.
    return null;
  }
  if (typeof payload !== "object" || payload === null) return null;
  const fields = payload as Record<string, unknown>;
  const invite = {
    meshId: fields.mesh_id,
    meshSlug: fields.mesh_slug,
    brokerUrl: fields.broker_url,
    expiresAtUnixS: fields.expires_at,
    meshRootKey: fields.mesh_root_key,
    role: fields.role,
    ownerPubkey: fields.owner_pubkey,
    signature: fields.signature,
  };
  return fields.v === 1 && isInvite(invite) ? invite : null;
}

function isInvite(invite: Record<keyof InviteV1, unknown>): invite is InviteV1 {
  return isPlain(invite.meshId) && isPlain(invite.meshSlug) && isPlain(invite.brokerUrl) &&
    isRootKey(invite.meshRootKey) && (invite.role === "admin" || invite.role === "member") &&
    Number.isSafeInteger(invite.expiresAtUnixS) && isPublicKey(invite.ownerPubkey) &&
    isSignature(invite.signature);
}

// A separator inside a field could move its text into the next one under the same signature.
function isPlain(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 1024 &&
    !value.includes("|");
}

function isRootKey(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]{43}$/.test(value);
}
