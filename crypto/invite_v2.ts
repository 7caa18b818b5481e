/**
 * Invite version 2 (protocol.md 4.8, CONTRACTS.md 4): the owner's signature on the invite, the
 * joiner's claim, and the hand-over of the mesh key by a member.
 *
 * A link carries a secret of 128 bits behind its `#`, which no server sees. It keys the MAC of the
 * claim, which shows a member that the joiner holds the link, and the MAC of the hand-over, which
 * shows the joiner that a holder of the link sealed the key: a dishonest broker can make neither.
 */
import { equalBytes, fromBase64, fromBase64Url, fromHex, toBase64Url, toHex } from "./bytes.ts";
import { hkdfSha256, hmacSha256, sha256Hex } from "./kdf.ts";
import { randomBytes } from "./random.ts";
import { isPublicKey, isSignature, publicKeyOf, sign, verify } from "./sign.ts";
import { toX25519PublicKey, x25519PublicKeyOrNull } from "./x25519.ts";

/** Length of the secret behind a link's `#`. */
export const INVITE_SECRET_BYTES = 16;

/** How far a claim's timestamp may lie from the checker's clock, either way. */
export const CLAIM_WINDOW_MS = 60_000;

/** What the owner signs in an invite version 2. */
export interface InviteV2Fields {
  /** mesh id */
  meshId: string;
  /** the invite's id, not its code */
  inviteId: string;
  /** seconds since 1970 */
  expiresAtUnixS: number;
  /** role that the joiner gets */
  role: string;
  /** 64 hex */
  ownerPubkey: string;
}

/** What a joiner signs to claim an invite. */
export interface ClaimFields {
  /** the invite's code */
  code: string;
  /** the joiner's new member public key (Ed25519), 64 hex */
  peerPubkey: string;
  /** the conversion of `peerPubkey`, 32 bytes base64url */
  recipientX25519Pubkey: string;
  /** name that the joiner wants to be seen under */
  displayName: string;
  /** milliseconds since 1970 */
  timestamp: number;
}

/** A claim with its proofs. */
export interface Claim extends ClaimFields {
  /** by the joiner's member key over `claimText`, 128 hex */
  signature: string;
  /** HMAC under the link's secret over `claimText`, 64 hex; null without a secret: unverified */
  mac: string | null;
}

/** Why a claim is refused. */
export type ClaimRefusal = "malformed" | "bad_signature" | "timestamp_skew";

/** What the MAC of a hand-over covers. */
export interface Handover {
  /** mesh id */
  meshId: string;
  /** the mesh owner's public key, 64 hex, which the joiner learns to trust by this MAC */
  ownerPubkey: string;
  /** the joiner's member public key, 64 hex */
  joinerPubkey: string;
  /** number of the epoch whose key is handed over */
  epoch: number;
  /** the mesh key sealed to the joiner, standard base64 */
  sealedKey: string;
}

const HEX_64 = /^[0-9a-f]{64}$/;
const CODE = /^[A-Za-z0-9]{6,16}$/;
const MAX_DISPLAY_NAME_LENGTH = 64;

/** The text that the owner signs (protocol.md 4.8, frozen). */
export function inviteCanonical(invite: InviteV2Fields): string {
  const { meshId, inviteId, expiresAtUnixS, role, ownerPubkey } = invite;
  return `v=2|${meshId}|${inviteId}|${expiresAtUnixS}|${role}|${ownerPubkey}`;
}

/**
 * The owner's signature on an invite. Throws TypeError when a field is malformed or `ownerPubkey`
 * is not the public half of the key.
 */
export function signInviteV2(invite: InviteV2Fields, ownerSecretKey: string): string {
  if (!isInvite(invite) || invite.ownerPubkey !== publicKeyOf(ownerSecretKey)) {
    throw new TypeError("a field of this invite is malformed or its owner is another");
  }
  return sign(inviteCanonical(invite), ownerSecretKey);
}

/** Whether the owner signed exactly this invite. Never throws. */
export function verifyInviteV2(invite: InviteV2Fields, signature: string): boolean {
  return isInvite(invite) && verify(inviteCanonical(invite), signature, invite.ownerPubkey);
}

/** A new secret for a link. */
export function newInviteSecret(): Uint8Array {
  return randomBytes(INVITE_SECRET_BYTES);
}

/** The text that signature and MAC of a claim cover. */
export function claimText(claim: ClaimFields): string {
  const { code, peerPubkey, recipientX25519Pubkey, displayName, timestamp } = claim;
  const keys = `${peerPubkey}|${recipientX25519Pubkey}`;
  return `claudemesh-claim|v2|${code}|${keys}|${displayName}|${timestamp}`;
}

/**
 * Claims an invite for the member key `memberSecretKey` (128 hex); `secret` is what stood behind
 * the link's `#`, or null. Throws TypeError on a malformed code, name, key or secret.
 */
export function makeClaim(
  fields: Pick<ClaimFields, "code" | "displayName" | "timestamp">,
  memberSecretKey: string,
  secret: Uint8Array | null,
): Claim {
  const peerPubkey = publicKeyOf(memberSecretKey);
  const recipientX25519Pubkey = toBase64Url(toX25519PublicKey(peerPubkey));
  const { code, displayName, timestamp } = fields;
  const unsigned = { code, peerPubkey, recipientX25519Pubkey, displayName, timestamp };
  if (!isClaim(unsigned)) throw new TypeError("the code or the display name is malformed");
  const text = claimText(unsigned);
  const mac = secret === null ? null : toHex(hmacSha256(claimKey(secret), text));
  return { ...unsigned, signature: sign(text, memberSecretKey), mac };
}

/**
 * null when the claim is well-formed, timely at `nowMs` and signed by its own key, and its X25519
 * key is the conversion of its Ed25519 key; else the code to refuse it with. The MAC is not looked
 * at: the broker, which runs this, has no secret. Never throws.
 */
export function checkClaim(
  claim: ClaimFields & { signature: string },
  nowMs: number,
): ClaimRefusal | null {
  if (!isClaim(claim) || !isSignature(claim.signature)) return "malformed";
  const converted = x25519PublicKeyOrNull(claim.peerPubkey);
  if (converted === null || toBase64Url(converted) !== claim.recipientX25519Pubkey) {
    return "malformed";
  }
  if (Math.abs(nowMs - claim.timestamp) > CLAIM_WINDOW_MS) return "timestamp_skew";
  return verify(claimText(claim), claim.signature, claim.peerPubkey) ? null : "bad_signature";
}

/**
 * Whether the joiner held the link with this secret. The signature is left to `checkClaim`; a
 * member who hands the key over checks both. Never throws on a junk claim.
 */
export function checkClaimMac(claim: Claim, secret: Uint8Array): boolean {
  return isClaim(claim) && isMac(claim.mac) &&
    equalBytes(fromHex(claim.mac), hmacSha256(claimKey(secret), claimText(claim)));
}

/** The MAC of a hand-over, 64 hex. Throws TypeError when a field is malformed. */
export function handoverMac(handover: Handover, secret: Uint8Array): string {
  const text = handoverText(handover);
  if (text === null) throw new TypeError("a field of this hand-over is malformed");
  return toHex(hmacSha256(handoverKey(secret), text));
}

/** Whether `mac` is that of this hand-over under the link's secret. Never throws on junk. */
export function checkHandoverMac(handover: Handover, mac: string, secret: Uint8Array): boolean {
  const text = handoverText(handover);
  return text !== null && isMac(mac) &&
    equalBytes(fromHex(mac), hmacSha256(handoverKey(secret), text));
}

function handoverText(handover: Handover): string | null {
  const { meshId, ownerPubkey, joinerPubkey, epoch, sealedKey } = handover;
  if (!isPlain(meshId) || !isPublicKey(ownerPubkey) || !isPublicKey(joinerPubkey)) return null;
  if (!Number.isSafeInteger(epoch) || epoch < 0) return null;
  let sealed: Uint8Array;
  try {
    sealed = fromBase64(sealedKey);
  } catch {
    // Not base64, so no sealed key.
    return null;
  }
  const sealedHash = sha256Hex(sealed);
  return `claudemesh-handover|v2|${meshId}|${ownerPubkey}|${joinerPubkey}|${epoch}|${sealedHash}`;
}

function claimKey(secret: Uint8Array): Uint8Array {
  return macKey(secret, "claudemesh/invite/v2/claim");
}

function handoverKey(secret: Uint8Array): Uint8Array {
  return macKey(secret, "claudemesh/invite/v2/handover");
}

function macKey(secret: Uint8Array, info: string): Uint8Array {
  if (secret.length !== INVITE_SECRET_BYTES) {
    throw new TypeError(`an invite secret has ${INVITE_SECRET_BYTES} bytes`);
  }
  return hkdfSha256(secret, info, 32);
}

function isInvite(invite: InviteV2Fields): boolean {
  return isPlain(invite.meshId) && isPlain(invite.inviteId) && isPlain(invite.role) &&
    Number.isSafeInteger(invite.expiresAtUnixS) && isPublicKey(invite.ownerPubkey);
}

// The name may hold the separator: every field before and after it has a fixed shape without one.
function isClaim(claim: ClaimFields): boolean {
  const { code, peerPubkey, displayName, timestamp } = claim;
  return typeof code === "string" && CODE.test(code) && isPublicKey(peerPubkey) &&
    typeof displayName === "string" && displayName.length > 0 &&
    displayName.length <= MAX_DISPLAY_NAME_LENGTH && displayName.isWellFormed() &&
    isRawKey(claim.recipientX25519Pubkey) && Number.isSafeInteger(timestamp);
}

function isRawKey(value: unknown): boolean {
  if (typeof value !== "string" || value.length !== 43) return false;
  try {
    return fromBase64Url(value).length === 32;
  } catch {
    // Not base64url.
    return false;
  }
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= 256 &&
    !value.includes("|");
}

function isMac(value: unknown): value is string {
  return typeof value === "string" && HEX_64.test(value);
}
