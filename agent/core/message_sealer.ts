/**
 * Turns what somebody wants to say into an entry of the outbox and, when it is sent, into a `send` frame. Direct messages
 * are sealed at once; group messages when they go out, under the epoch that is current then.
 */
import type { Priority } from "../../broker/api/fields.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import { sealDirect, sealDirectV1 } from "../../crypto/direct_message.ts";
import { sealGroup } from "../../crypto/group_message.ts";
import type { MessageFields } from "../../crypto/message_body.ts";
import type { KeyPair } from "../../crypto/sign.ts";
import { LocalError } from "./local_error.ts";
import type { ResolvedTarget } from "./mesh_peer_api.ts";
import type { OutboxEntry } from "./outbox.ts";

/** What is to be sent, by whom, where. */
export interface Draft {
  readonly id: string;
  readonly target: ResolvedTarget;
  /** The newest body version that the recipient's agent reads; for groups always 2. */
  readonly bodyVersion: number;
  readonly body: string;
  readonly type: string;
  readonly priority: Priority;
  readonly replyTo: string | null;
  readonly sessionId: string | null;
  readonly createdAtMs: number;
}

const REPLY_FIELD = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_CIPHERTEXT_CHARS = Math.ceil(LIMITS.messageBytes.value / 3) * 4;

/**
 * Makes the outbox entry of a draft. `epochKey` is the current mesh key, which only groups need. Throws LocalError
 * `too_large`, `waiting_for_key`.
 */
export function sealEntry(
  draft: Draft,
  meshId: string,
  member: KeyPair,
  epochKey: Uint8Array | null,
): OutboxEntry {
  const { id, target, priority, type, replyTo, sessionId, createdAtMs, body } = draft;
  const common = { id, target: target.target, priority, type, replyTo, sessionId, createdAtMs };
  const memberKey = target.memberKey;
  if (memberKey === null) {
    if (epochKey === null) throw waitingForKey();
    const entry: OutboxEntry = { ...common, content: { kind: "text", body } };
    // Tried now, so that what can never be sent is refused while its author is there.
    bounded(() =>
      sealGroup(fieldsOf(entry, meshId, member, target.target), member.secretKey, epochKey)
    );
    return entry;
  }
  if (draft.bodyVersion < 2) {
    const sealed = bounded(() => sealDirectV1(body, member.secretKey, target.target));
    return { ...common, content: { kind: "sealed", bodyVersion: 1, ...sealed } };
  }
  const entry: OutboxEntry = { ...common, content: { kind: "text", body } };
  const fields = fieldsOf(entry, meshId, member, memberKey);
  const sealed = bounded(() => sealDirect(fields, member.secretKey, memberKey));
  return { ...common, content: { kind: "sealed", bodyVersion: 2, ...sealed } };
}

/**
 * The fields of the `send` frame for an entry; null when it is a group message and there is no key for it.
 */
export function sendFrame(
  entry: OutboxEntry,
  meshId: string,
  member: KeyPair,
  epoch: number,
  epochKey: Uint8Array | null,
): Record<string, unknown> | null {
  const frame = {
    id: entry.id,
    client_message_id: entry.id,
    targetSpec: entry.target,
    priority: entry.priority,
    ...(entry.replyTo !== null && REPLY_FIELD.test(entry.replyTo)
      ? { replyToId: entry.replyTo }
      : {}),
  };
  const { content } = entry;
  if (content.kind === "sealed") {
    const { bodyVersion, nonce, ciphertext } = content;
    return { ...frame, bodyVersion, nonce, ciphertext };
  }
  if (epochKey === null) return null;
  const fields = fieldsOf(entry, meshId, member, entry.target);
  return { ...frame, bodyVersion: 2, epoch, ...sealGroup(fields, member.secretKey, epochKey) };
}

/** What `send` to a group answers while the mesh key is missing. */
export function waitingForKey(reason?: string): LocalError {
  return new LocalError(
    "waiting_for_key",
    reason ?? "waiting for a member to hand over the mesh key",
    {
      hint:
        "direct messages work already; an owner or admin must be online once, and a join without " +
        "the link's secret needs their word: claudemesh verify NAME --hand-over",
    },
  );
}

function fieldsOf(
  entry: OutboxEntry,
  meshId: string,
  member: KeyPair,
  to: string,
): MessageFields {
  const { id, priority, type, replyTo, createdAtMs, content } = entry;
  return {
    id,
    mesh: meshId,
    from: member.publicKey,
    to,
    sentAt: createdAtMs,
    priority,
    type,
    body: content.kind === "text" ? content.body : "",
    ...(replyTo === null ? {} : { replyTo }),
  };
}

function bounded(seal: () => { nonce: string; ciphertext: string }) {
  let sealed: { nonce: string; ciphertext: string } | null = null;
  try {
    sealed = seal();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  if (sealed === null || sealed.ciphertext.length > MAX_CIPHERTEXT_CHARS) {
    throw new LocalError(
      "too_large",
      `the message is longer than ${LIMITS.messageBytes.value} bytes after encryption`,
      { hint: "send it in parts, or as a file" },
    );
  }
  return { nonce: sealed.nonce, ciphertext: sealed.ciphertext };
}
