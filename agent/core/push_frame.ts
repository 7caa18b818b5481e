/**
 * The shape of a `push` as an agent takes it, checked by hand: thousands come in a second, and a broker may send
 * anything.
 */
import type { Push } from "../../broker/api/messaging.ts";

const TEXTS = ["messageId", "senderPubkey", "targetSpec", "nonce", "ciphertext", "createdAt"];
const OPTIONAL_TEXTS = [
  "senderMemberPubkey",
  "senderMemberId",
  "senderName",
  "toMember",
  "client_message_id",
  "replyToId",
  "subtype",
];
const PRIORITIES: ReadonlySet<unknown> = new Set(["now", "next", "low"]);
const MAX_ID_CHARS = 128;

/** A delivery; what older brokers leave out is null. */
export interface PushFrame {
  readonly messageId: string;
  readonly senderPubkey: string;
  readonly senderMemberPubkey: string | null;
  readonly senderMemberId: string | null;
  readonly senderName: string | null;
  readonly targetSpec: string;
  readonly toMember: string | null;
  readonly priority: Push["priority"];
  readonly nonce: string;
  readonly ciphertext: string;
  readonly bodyVersion: number;
  readonly epoch: number | null;
  /** ISO 8601, by the broker's clock. */
  readonly createdAt: string;
  readonly clientMessageId: string | null;
  readonly replyToId: string | null;
  /** "reminder" for what the broker sends by itself; counts only with body version 0. */
  readonly subtype: string | null;
}

/** Reads a delivery; null when a field is missing or of the wrong kind. Never throws. */
export function readPush(value: unknown): PushFrame | null {
  if (typeof value !== "object" || value === null) return null;
  const fields = value as Record<string, unknown>;
  for (const name of TEXTS) if (typeof fields[name] !== "string") return null;
  for (const name of OPTIONAL_TEXTS) {
    const field = fields[name];
    if (field !== undefined && field !== null && typeof field !== "string") return null;
  }
  const { messageId, priority, bodyVersion, epoch } = fields;
  if (!PRIORITIES.has(priority)) return null;
  if ((messageId as string).length === 0 || (messageId as string).length > MAX_ID_CHARS) {
    return null;
  }
  if (bodyVersion !== undefined && typeof bodyVersion !== "number") return null;
  return {
    messageId: messageId as string,
    senderPubkey: fields.senderPubkey as string,
    senderMemberPubkey: textOrNull(fields.senderMemberPubkey),
    senderMemberId: textOrNull(fields.senderMemberId),
    senderName: textOrNull(fields.senderName),
    targetSpec: fields.targetSpec as string,
    toMember: textOrNull(fields.toMember),
    priority: priority as Push["priority"],
    nonce: fields.nonce as string,
    ciphertext: fields.ciphertext as string,
    bodyVersion: bodyVersion ?? 1,
    epoch: typeof epoch === "number" && Number.isSafeInteger(epoch) ? epoch : null,
    createdAt: fields.createdAt as string,
    clientMessageId: textOrNull(fields.client_message_id),
    replyToId: textOrNull(fields.replyToId),
    subtype: textOrNull(fields.subtype),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
