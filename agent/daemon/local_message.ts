/**
 * A message of the inbox as local clients read it.
 */
import type { LocalMessage } from "../core/local_types.ts";
import type { InboxMessage } from "../core/mesh_peer_api.ts";

/** Returns the message for the local socket: times as ISO 8601, text only where it may be shown. */
export function localMessage(message: InboxMessage): LocalMessage {
  return {
    id: message.messageId,
    meshId: message.meshId,
    mesh: message.meshSlug,
    fromName: message.senderName,
    fromPubkey: message.senderKey,
    fromSessionPubkey: message.senderSessionKey,
    target: message.target,
    kind: message.kind,
    priority: message.priority,
    type: message.type,
    text: message.state === "ok" ? message.body : null,
    state: message.state,
    reason: message.reason,
    verification: message.verification,
    replyTo: message.replyTo,
    sentAt: new Date(message.sentAtMs).toISOString(),
    receivedAt: new Date(message.receivedAtMs).toISOString(),
    seenAt: message.seenAtMs === null ? null : new Date(message.seenAtMs).toISOString(),
  };
}
