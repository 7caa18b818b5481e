/**
 * Proofs of identity of a new connection: the member's `hello`, the member's attestation of a
 * session key, and the session's own `session_hello` (protocol.md 1.2 and 1.5).
 *
 * Replay inside the time window is not seen here: these functions keep no state.
 */
import { isPublicKey, isSignature, publicKeyOf, sign, verify } from "./sign.ts";

/** How far a hello's timestamp may lie from the broker's clock, either way. */
export const HELLO_WINDOW_MS = 60_000;

/** How far ahead an attestation may expire. */
export const ATTESTATION_MAX_MS = 24 * 60 * 60 * 1000;

/** What a `hello` signs. */
export interface HelloFields {
  /** mesh id, without "|" */
  meshId: string;
  /** member id, without "|" */
  memberId: string;
  /** the member's public key, 64 hex of either case, signed as it is written */
  pubkey: string;
  /** milliseconds since 1970 */
  timestamp: number;
}

/** What a `session_hello` signs. */
export interface SessionHelloFields {
  /** mesh id, without "|" */
  meshId: string;
  /** the member's public key, 64 lower-case hex */
  parentMemberPubkey: string;
  /** the session's public key, 64 lower-case hex */
  sessionPubkey: string;
  /** milliseconds since 1970 */
  timestamp: number;
}

/** A member's word for a session key, as it travels in `parentAttestation`. */
export interface Attestation {
  /** the session key vouched for, 64 lower-case hex */
  sessionPubkey: string;
  /** the member key that vouches, 64 lower-case hex */
  parentMemberPubkey: string;
  /** milliseconds since 1970 */
  expiresAt: number;
  /** over the text of protocol.md 1.5, which names no mesh */
  signature: string;
  /** over the text that names the mesh; older peers do not send it */
  meshSignature?: string | undefined;
}

/** What an attestation must be about, from the frame around it. */
export interface AttestationContext {
  /** the mesh that the connection asks for */
  meshId: string;
  /** the member key that the frame names */
  parentMemberPubkey: string;
  /** the session key that the frame names */
  sessionPubkey: string;
}

/** Why a hello of either kind is refused. */
export type HelloRefusal = "timestamp_skew" | "malformed" | "bad_signature";

/** Why an attestation is refused. */
export type AttestationRefusal =
  | "attestation_mismatch"
  | "malformed"
  | "expired"
  | "ttl_too_long"
  | "bad_signature";

const HEX_64 = /^[0-9a-f]{64}$/i;

/** The text that a `hello` signs (protocol.md 1.2, frozen). */
export function helloText(hello: HelloFields): string {
  return `${hello.meshId}|${hello.memberId}|${hello.pubkey}|${hello.timestamp}`;
}

/**
 * The signature of a `hello` whose `pubkey` is the public half of `secretKey`. Throws TypeError
 * when an id is empty or holds the separator.
 */
export function signHello(hello: Omit<HelloFields, "pubkey">, secretKey: string): string {
  if (!isId(hello.meshId) || !isId(hello.memberId)) throw new TypeError("not an id to sign");
  return sign(helloText({ ...hello, pubkey: publicKeyOf(secretKey) }), secretKey);
}

/** null when the hello is good at `nowMs`, else the code to refuse it with, in the order of 1.2. */
export function checkHello(
  hello: HelloFields & { signature: string },
  nowMs: number,
): HelloRefusal | null {
  if (!isTimely(hello.timestamp, nowMs)) return "timestamp_skew";
  if (!isHex64(hello.pubkey) || !isSignature(hello.signature)) return "malformed";
  if (!isId(hello.meshId) || !isId(hello.memberId)) return "malformed";
  const good = verify(helloText(hello), hello.signature, hello.pubkey.toLowerCase());
  return good ? null : "bad_signature";
}

/** The text that an attestation's `signature` covers (protocol.md 1.5, frozen). */
export function attestationText(
  fields: Pick<Attestation, "parentMemberPubkey" | "sessionPubkey" | "expiresAt">,
): string {
  const { parentMemberPubkey, sessionPubkey, expiresAt } = fields;
  return `claudemesh-session-attest|${parentMemberPubkey}|${sessionPubkey}|${expiresAt}`;
}

/** The text that an attestation's `meshSignature` covers: the same, bound to one mesh. */
export function meshAttestationText(fields: AttestationContext & { expiresAt: number }): string {
  const { meshId, parentMemberPubkey, sessionPubkey, expiresAt } = fields;
  const keys = `${parentMemberPubkey}|${sessionPubkey}`;
  return `claudemesh-session-attest-v2|${meshId}|${keys}|${expiresAt}`;
}

/**
 * The member's word that `sessionPubkey` acts for it in `meshId` until `expiresAt` (ms). Throws
 * TypeError on a malformed id or key.
 */
export function makeAttestation(
  fields: { meshId: string; sessionPubkey: string; expiresAt: number },
  memberSecretKey: string,
): Attestation {
  if (!isId(fields.meshId)) throw new TypeError("not a mesh id to sign");
  if (!isPublicKey(fields.sessionPubkey)) throw new TypeError("not a session public key");
  const signed = { ...fields, parentMemberPubkey: publicKeyOf(memberSecretKey) };
  return {
    sessionPubkey: signed.sessionPubkey,
    parentMemberPubkey: signed.parentMemberPubkey,
    expiresAt: signed.expiresAt,
    signature: sign(attestationText(signed), memberSecretKey),
    meshSignature: sign(meshAttestationText(signed), memberSecretKey),
  };
}

/**
 * null when the attestation is good at `nowMs` for the keys and mesh of `context`, else the code to
 * refuse it with. A `meshSignature` is checked whenever it is there; `requireMeshSignature` refuses
 * one that lacks it as `malformed`.
 */
export function checkAttestation(
  attestation: Attestation,
  context: AttestationContext,
  nowMs: number,
  options: { requireMeshSignature: boolean },
): AttestationRefusal | null {
  const { parentMemberPubkey, sessionPubkey, expiresAt, signature, meshSignature } = attestation;
  if (
    sessionPubkey !== context.sessionPubkey || parentMemberPubkey !== context.parentMemberPubkey
  ) {
    return "attestation_mismatch";
  }
  if (!isPublicKey(parentMemberPubkey) || !isPublicKey(sessionPubkey)) return "malformed";
  // A member cannot be its own session: that text could be had from a hello in a mesh with a
  // crafted id.
  if (sessionPubkey === parentMemberPubkey) return "malformed";
  if (!isSignature(signature) || !Number.isSafeInteger(expiresAt)) return "malformed";
  if (!isId(context.meshId)) return "malformed";
  if (meshSignature === undefined) {
    if (options.requireMeshSignature) return "malformed";
  } else if (!isSignature(meshSignature)) return "malformed";
  if (expiresAt <= nowMs) return "expired";
  if (expiresAt > nowMs + ATTESTATION_MAX_MS) return "ttl_too_long";
  if (!verify(attestationText(attestation), signature, parentMemberPubkey)) return "bad_signature";
  if (meshSignature === undefined) return null;
  const meshText = meshAttestationText({ ...context, expiresAt });
  return verify(meshText, meshSignature, parentMemberPubkey) ? null : "bad_signature";
}

/** The text that a `session_hello` signs (protocol.md 1.5, frozen). */
export function sessionHelloText(hello: SessionHelloFields): string {
  const { meshId, parentMemberPubkey, sessionPubkey, timestamp } = hello;
  return `claudemesh-session-hello|${meshId}|${parentMemberPubkey}|${sessionPubkey}|${timestamp}`;
}

/**
 * The signature of a `session_hello` whose `sessionPubkey` is the public half of
 * `sessionSecretKey`. Throws TypeError on a malformed id or key.
 */
export function signSessionHello(
  hello: Omit<SessionHelloFields, "sessionPubkey">,
  sessionSecretKey: string,
): string {
  if (!isId(hello.meshId)) throw new TypeError("not a mesh id to sign");
  const sessionPubkey = publicKeyOf(sessionSecretKey);
  return sign(sessionHelloText({ ...hello, sessionPubkey }), sessionSecretKey);
}

/** null when the session's own proof is good at `nowMs`, else the code to refuse it with. */
export function checkSessionHello(
  hello: SessionHelloFields & { signature: string },
  nowMs: number,
): HelloRefusal | null {
  if (!isTimely(hello.timestamp, nowMs)) return "timestamp_skew";
  if (!isPublicKey(hello.sessionPubkey) || !isPublicKey(hello.parentMemberPubkey)) {
    return "malformed";
  }
  if (!isSignature(hello.signature) || !isId(hello.meshId)) return "malformed";
  const good = verify(sessionHelloText(hello), hello.signature, hello.sessionPubkey);
  return good ? null : "bad_signature";
}

function isTimely(timestamp: number, nowMs: number): boolean {
  return Number.isFinite(timestamp) && Math.abs(nowMs - timestamp) <= HELLO_WINDOW_MS;
}

function isHex64(value: unknown): value is string {
  return typeof value === "string" && HEX_64.test(value);
}

// An id with the separator in it could make one text read as two different statements.
function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 256 &&
    !value.includes("|");
}
