/**
 * A message that is open for at least one recipient, and a delivery of it to one.
 */
import type { MessageHead } from "../../../storage/sql/queries/message_store.ts";
import type { Priority } from "../../api/fields.ts";
import { neededCapability } from "../grants.ts";
import type { Connection, Member } from "../model.ts";

/** A message in memory; its text may be dropped and read again. */
export class OpenMessage {
  readonly seq: number;
  readonly id: string;
  readonly meshId: string;
  readonly sender: Member;
  readonly senderSessionPubkey: string | null;
  readonly senderName: string;
  readonly clientMessageId: string | null;
  readonly targetSpec: string;
  readonly priority: Priority;
  readonly size: number;
  readonly recipients: readonly Member[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** What recipients must grant its sender. */
  readonly capability: "dm" | "broadcast";
  /** The push frame, null while it is not in memory. */
  frame: string | null = null;
  /** Recipients for whom it is not closed. */
  openCount = 0;

  constructor(head: Omit<MessageHead, "recipients" | "senderNumber">, parties: Parties) {
    this.seq = head.seq;
    this.id = head.id;
    this.meshId = head.meshId;
    this.sender = parties.sender;
    this.senderSessionPubkey = head.senderSessionPubkey;
    this.senderName = parties.senderName;
    this.clientMessageId = head.clientMessageId;
    this.targetSpec = head.targetSpec;
    this.priority = head.priority;
    this.size = head.size;
    this.recipients = parties.recipients;
    this.createdAtMs = head.createdAtMs;
    this.expiresAtMs = head.expiresAtMs;
    this.capability = neededCapability(head.targetSpec);
  }
}

/** Who sends a message, and to whom. */
export interface Parties {
  readonly sender: Member;
  readonly senderName: string;
  readonly recipients: readonly Member[];
}

/** One message on its way to one member. */
export interface OpenDelivery {
  readonly message: OpenMessage;
  state: "waiting" | "held" | "pushed" | "closed";
  /** When it was last pushed; 0 for never. */
  pushedAtMs: number;
  /** Where it was last pushed. */
  outlet: Connection | null;
  /** When it was first held; 0 for never. */
  heldSinceMs: number;
  /** Why it is or was held. */
  holdReason: HoldReason | null;
  /** The hold has run out: it goes whatever the recipient does. */
  holdExpired: boolean;
}

/** What keeps a `next` message back; `order`: an earlier one of the same sender is kept back. */
export type HoldReason = "working" | "dnd" | "order";

/** Returns a delivery that has not been tried yet. */
export function openDelivery(message: OpenMessage): OpenDelivery {
  return {
    message,
    state: "waiting",
    pushedAtMs: 0,
    outlet: null,
    heldSinceMs: 0,
    holdReason: null,
    holdExpired: false,
  };
}
