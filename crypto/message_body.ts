/**
 * The signed inside of body version 2 (CONTRACTS.md 4): what a message says, who says it, to whom,
 * in which mesh and under which id, in one canonical JSON text with the sender's Ed25519 signature.
 *
 * The signature covers the canonical JSON of every field but `sig`; what travels (inside the
 * encryption) is the canonical JSON with `sig`. Fields that this version does not know are covered
 * too and skipped, so that later versions may add some.
 */
import { utf8Decode, utf8Encode } from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import { isPublicKey, isSignature, publicKeyOf, sign, verify } from "./sign.ts";

/** Upper bound of an encoded body. */
export const MAX_SIGNED_BODY_BYTES = 256 * 1024;

/** When a message may interrupt its recipient. */
export type MessagePriority = "now" | "next" | "low";

/** The fields that a sender signs. */
export interface MessageFields {
  /** the sender's `client_message_id`, 1 to 128 characters */
  id: string;
  /** mesh id, 1 to 128 characters */
  mesh: string;
  /** the sender's member public key, 64 hex */
  from: string;
  /** the recipient's member public key, or the target of a group message, 1 to 640 characters */
  to: string;
  /** milliseconds since 1970 by the sender's clock */
  sentAt: number;
  /** when it may interrupt */
  priority: MessagePriority;
  /** id of the message that this one answers, 1 to 128 characters */
  replyTo?: string;
  /** what `body` is: "text", "ping", ..., 1 to 64 characters */
  type: string;
  /** the content itself, of any length that fits */
  body: string;
}

/** What the frame around a body says, which the body must confirm. */
export interface ExpectedMessage {
  /** the mesh that it came through */
  mesh: string;
  /** the member public key of the sender that the frame names */
  from: string;
  /** the reader's own member public key, or the group target of the frame */
  to: string;
  /** the sender's `client_message_id` in the frame */
  id: string;
}

/** Why a body is not believed. */
export type SignedBodyFailure =
  | "malformed"
  | "wrong_sender"
  | "bad_signature"
  | "wrong_mesh"
  | "wrong_target"
  | "wrong_id";

/** A body that is what its frame says, or the first reason why it is not. */
export type SignedBodyResult = { ok: true; body: MessageFields } | {
  ok: false;
  reason: SignedBodyFailure;
};

const MAX_LENGTHS = { id: 128, mesh: 128, to: 640, type: 64 } as const;
const MAX_REPLY_TO_LENGTH = 128;
const PRIORITIES: ReadonlySet<unknown> = new Set(["now", "next", "low"]);

/**
 * The bytes of a signed body. Throws TypeError when a field is malformed or `from` is not the
 * public half of `secretKey`, RangeError when the result is longer than `MAX_SIGNED_BODY_BYTES`.
 */
export function encodeSignedBody(fields: MessageFields, secretKey: string): Uint8Array {
  const signed: Record<string, unknown> = { v: 2, ...pickFields(fields) };
  if (!isMessage(signed)) throw new TypeError("a field of this message is missing or malformed");
  if (fields.from !== publicKeyOf(secretKey)) {
    throw new TypeError("a message is signed with the key of its sender");
  }
  const sig = sign(canonicalJson(signed), secretKey);
  const bytes = utf8Encode(canonicalJson({ ...signed, sig }));
  if (bytes.length > MAX_SIGNED_BODY_BYTES) {
    throw new RangeError(`a message has at most ${MAX_SIGNED_BODY_BYTES} bytes`);
  }
  return bytes;
}

/**
 * Reads a body and checks that its sender signed it for exactly this frame. The reasons come in the
 * order malformed, wrong_sender, bad_signature, wrong_mesh, wrong_target, wrong_id. Never throws.
 */
export function decodeSignedBody(bytes: Uint8Array, expected: ExpectedMessage): SignedBodyResult {
  const parsed = parseObject(bytes);
  if (parsed === null) return failed("malformed");
  const { sig, ...signed } = parsed;
  if (!isMessage(signed) || !isSignature(sig)) return failed("malformed");
  if (signed.from !== expected.from) return failed("wrong_sender");
  const text = canonicalOrNull(signed);
  if (text === null) return failed("malformed");
  if (!verify(text, sig, signed.from)) return failed("bad_signature");
  if (signed.mesh !== expected.mesh) return failed("wrong_mesh");
  if (signed.to !== expected.to) return failed("wrong_target");
  if (signed.id !== expected.id) return failed("wrong_id");
  return { ok: true, body: pickFields(signed) };
}

function failed(reason: SignedBodyFailure): SignedBodyResult {
  return { ok: false, reason };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  if (bytes.length > MAX_SIGNED_BODY_BYTES) return null;
  try {
    const value: unknown = JSON.parse(utf8Decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : null;
  } catch {
    // Neither UTF-8 nor JSON: the caller is told that it is malformed.
    return null;
  }
}

function canonicalOrNull(value: unknown): string | null {
  try {
    return canonicalJson(value);
  } catch {
    // An unknown field nested too deep; everything else that JSON.parse gives can be written.
    return null;
  }
}

function isMessage(value: object): value is MessageFields {
  const fields = value as Record<string, unknown>;
  for (const [name, maxLength] of Object.entries(MAX_LENGTHS)) {
    if (!isText(fields[name], maxLength)) return false;
  }
  if ("replyTo" in fields && !isText(fields.replyTo, MAX_REPLY_TO_LENGTH)) return false;
  const { sentAt } = fields;
  return fields.v === 2 && isPublicKey(fields.from) && PRIORITIES.has(fields.priority) &&
    typeof sentAt === "number" && Number.isSafeInteger(sentAt) && sentAt >= 0 &&
    typeof fields.body === "string";
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= maxLength;
}

function pickFields(fields: MessageFields): MessageFields {
  const { id, mesh, from, to, sentAt, priority, type, body } = fields;
  const picked: MessageFields = { id, mesh, from, to, sentAt, priority, type, body };
  if (fields.replyTo !== undefined) picked.replyTo = fields.replyTo;
  return picked;
}
