/**
 * Opens what a push carries and decides what is to be believed of it (CONTRACTS 4): signed by its sender for exactly this
 * frame, boxed by an older client, waiting for a key, or rejected. A reminder is what the broker says it is, and shown
 * as such (`reminder_text.ts`); nothing else may come unencrypted.
 */
import { openDirect, openDirectV1 } from "../../crypto/direct_message.ts";
import { openGroup } from "../../crypto/group_message.ts";
import { fromBase64, toBase64Url } from "../../crypto/bytes.ts";
import { sha256 } from "../../crypto/kdf.ts";
import type { MessageFields } from "../../crypto/message_body.ts";
import type { KeyPair } from "../../crypto/sign.ts";
import { PLAIN_BODY_VERSION, REMINDER } from "../../broker/api/schedules.ts";
import { type ArrivedMessage, kindOf } from "./inbox.ts";
import type { PushFrame } from "./push_frame.ts";

/** Whose messages are opened, and with what. */
export interface OpenerKeys {
  readonly meshId: string;
  readonly member: KeyPair;
  /** The key of an epoch (32 bytes), null when this agent does not hold it. */
  epochKey(epoch: number): Uint8Array | null;
  /** Secret keys of this member's sessions, for clients that seal to those. */
  sessionSecretKeys(): readonly string[];
}

const REASONS: Readonly<Record<string, string>> = {
  cannot_decrypt: "it cannot be decrypted with this member's key",
  malformed: "what is inside is not a message",
  wrong_sender: "somebody else than the sender that the broker names signed it",
  bad_signature: "its signature does not verify",
  wrong_mesh: "it was signed for another mesh",
  wrong_target: "it was signed for another recipient",
  wrong_id: "it was signed under another id",
};

/** Opens a push. Never throws on what a stranger sent. */
export function openMessage(push: PushFrame, keys: OpenerKeys): ArrivedMessage {
  if (push.bodyVersion === PLAIN_BODY_VERSION) return openReminder(push);
  if (push.bodyVersion === 2) {
    return kindOf(push.targetSpec) === "direct"
      ? openSignedDirect(push, keys)
      : openSignedGroup(push, keys);
  }
  if (push.bodyVersion !== 1) {
    return rejected(push, `its body version ${push.bodyVersion} is unknown to this program`);
  }
  if (kindOf(push.targetSpec) !== "direct") {
    return rejected(push, "it is not encrypted, as older clients send to groups");
  }
  return openBoxed(push, keys);
}

function openSignedDirect(push: PushFrame, keys: OpenerKeys): ArrivedMessage {
  const from = push.senderMemberPubkey;
  if (from === null || push.clientMessageId === null) return rejected(push, REASONS.malformed!);
  const result = openDirect(push, keys.member.secretKey, {
    mesh: keys.meshId,
    from,
    to: keys.member.publicKey,
    id: push.clientMessageId,
  });
  return result.ok ? signed(push, result.body) : rejected(push, REASONS[result.reason]!);
}

function openSignedGroup(push: PushFrame, keys: OpenerKeys): ArrivedMessage {
  const from = push.senderMemberPubkey;
  if (from === null || push.clientMessageId === null || push.epoch === null) {
    return rejected(push, REASONS.malformed!);
  }
  const epochKey = keys.epochKey(push.epoch);
  if (epochKey === null) {
    return {
      ...common(push),
      type: "text",
      body: null,
      verification: "none",
      state: "pending_key",
      reason: `the mesh key of epoch ${push.epoch} has not been handed over yet`,
      frame: JSON.stringify(push),
    };
  }
  const result = openGroup(push, epochKey, {
    mesh: keys.meshId,
    from,
    to: push.targetSpec,
    id: push.clientMessageId,
  });
  return result.ok ? signed(push, result.body) : rejected(push, REASONS[result.reason]!);
}

/** Plain text of the broker's own: taken as a reminder or not at all, and never as a peer's word. */
function openReminder(push: PushFrame): ArrivedMessage {
  if (push.subtype !== REMINDER || push.nonce !== "") {
    return rejected(push, "it is not encrypted, and no reminder");
  }
  let body: string;
  try {
    body = new TextDecoder("utf-8", { fatal: true }).decode(fromBase64(push.ciphertext));
  } catch {
    return rejected(push, REASONS.malformed!);
  }
  return {
    ...common(push),
    type: REMINDER,
    body,
    verification: "none",
    state: "ok",
    reason: null,
    frame: null,
  };
}

/** Body version 1 is boxed to the member or to a session, from the sender's session or member key. */
function openBoxed(push: PushFrame, keys: OpenerKeys): ArrivedMessage {
  const senders = new Set([push.senderMemberPubkey ?? push.senderPubkey, push.senderPubkey]);
  const secrets = [keys.member.secretKey, ...keys.sessionSecretKeys()];
  for (const sender of senders) {
    for (const secret of secrets) {
      const body = openDirectV1(push, secret, sender);
      if (body === null) continue;
      return {
        ...common(push),
        // The box is the same when a broker sends it again under another id.
        identity: `v1:${toBase64Url(sha256(push.nonce + push.ciphertext))}`,
        type: "text",
        body,
        // A session's key is only what the broker says it is.
        verification: sender === push.senderMemberPubkey ? "boxed" : "none",
        state: "ok",
        reason: null,
        frame: null,
      };
    }
  }
  return rejected(push, REASONS.cannot_decrypt!);
}

function signed(push: PushFrame, body: MessageFields): ArrivedMessage {
  return {
    ...common(push),
    clientMessageId: body.id,
    identity: body.id,
    senderKey: body.from,
    // The sender's word counts: a broker could make a `low` message interrupt.
    priority: body.priority,
    type: body.type,
    body: body.body,
    replyTo: body.replyTo ?? null,
    sentAtMs: body.sentAt,
    verification: "signed",
    state: "ok",
    reason: null,
    frame: null,
  };
}

function rejected(push: PushFrame, reason: string): ArrivedMessage {
  return {
    ...common(push),
    type: "text",
    body: null,
    verification: "none",
    state: "rejected",
    reason,
    frame: null,
  };
}

function common(push: PushFrame) {
  const sentAtMs = Date.parse(push.createdAt);
  const senderKey = push.senderMemberPubkey ?? push.senderPubkey;
  return {
    messageId: push.messageId,
    clientMessageId: push.clientMessageId,
    identity: null,
    senderKey,
    senderSessionKey: push.senderPubkey === senderKey ? null : push.senderPubkey,
    senderMemberId: push.senderMemberId ?? "",
    senderName: push.senderName ?? senderKey.slice(0, 12),
    target: push.targetSpec,
    priority: push.priority,
    replyTo: push.replyToId,
    sentAtMs: Number.isNaN(sentAtMs) ? 0 : sentAtMs,
  };
}
