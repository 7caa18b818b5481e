/**
 * How reminders are told from messages of peers: the broker sends them by itself, in plain text, so nothing proves who
 * set them. Only a message that the opener took as such has this type without any proof (`message_opener.ts`).
 */
import type { LocalMessage } from "./local_types.ts";

/** What is said of a reminder in the place of a proof. */
export const REMINDER_PROOF = "kept by the broker, not end-to-end encrypted";

/** Returns whether a message is a reminder of the broker's; a peer may call a message of its own anything. */
export function isReminder(message: Pick<LocalMessage, "type" | "verification">): boolean {
  return message.type === "reminder" && message.verification === "none";
}

/** Returns whom a message is from, as people and models are told. */
export function senderOf(
  message: Pick<LocalMessage, "type" | "verification" | "fromName">,
): string {
  return isReminder(message) ? `reminder set by ${message.fromName}` : message.fromName;
}
