/**
 * Reminders as messages: plain text that the broker itself sends in the name of who set them. Nobody else can send such
 * a body, so recipients know it from a peer's message (CONTRACTS 4).
 */
import { Buffer } from "node:buffer";
import type { SqlStatement } from "../../../storage/sql/port.ts";
import type { Priority } from "../../api/fields.ts";
import type { SendInput } from "../../api/messaging.ts";
import { PLAIN_BODY_VERSION, REMINDER } from "../../api/schedules.ts";
import type { Member } from "../model.ts";
import type { Origin, PostExtra } from "./submitter.ts";

export interface Reminder {
  /** Who set it. */
  readonly sender: Member;
  /** What the frame carries as its target. */
  readonly target: string;
  /** Whom a direct one goes to; null: whom its target means. */
  readonly recipient: Member | null;
  readonly priority: Priority;
  readonly text: string;
  /** Names the occurrence, so that no other message stands for it. */
  readonly clientMessageId: string;
  readonly statements: readonly SqlStatement[];
}

/** Returns a reminder as the submitter takes it. */
export function reminderPost(
  reminder: Reminder,
): { origin: Origin; input: SendInput; extra: PostExtra } {
  const { sender, target, recipient, priority, text, clientMessageId, statements } = reminder;
  return {
    origin: { sender, sessionPubkey: null, senderName: sender.displayName },
    input: {
      targetSpec: target,
      priority,
      nonce: "",
      ciphertext: Buffer.from(text, "utf8").toString("base64"),
      client_message_id: clientMessageId,
      bodyVersion: PLAIN_BODY_VERSION,
    },
    extra: {
      subtype: REMINDER,
      resolution: recipient === null ? null : { multicast: false, recipients: [recipient] },
      statements,
    },
  };
}
