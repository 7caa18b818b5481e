/**
 * Where a message is, for each recipient: what the store's receipts say, and for open deliveries
 * what is in memory.
 */
import type * as z from "zod";
import type {
  MessageHead,
  MessageStore,
  ReceiptRowState,
} from "../../../storage/sql/queries/message_store.ts";
import { MeshError } from "../../api/errors.ts";
import type { messaging, ReceiptState } from "../../api/messaging.ts";
import type { Member } from "../model.ts";
import type { MeshMail } from "./mailroom.ts";

export type StatusOutput = z.input<typeof messaging.messageStatus.output>;
type RecipientStatus = StatusOutput["recipients"][number];

/** The furthest state counts. */
const STORED_STATES: readonly ReceiptRowState[] = ["seen", "received", "expired"];

/**
 * Tells the state of a message that `member` sent.
 * @param id its id, at least the beginning, or the sender's own id of it.
 * @throws {MeshError} `not_found`, also for messages of others, or `ambiguous_prefix`.
 */
export async function messageStatus(
  mail: MeshMail,
  store: MessageStore,
  request: {
    readonly member: Member;
    readonly id: string;
    /** The place that `id` stands for; null for none. */
    readonly seq: number | null;
    readonly nowMs: number;
  },
): Promise<StatusOutput> {
  const { member, id, seq, nowMs } = request;
  const [head, other] = await store.findOwn(mail.mesh.id, member.number, {
    seq,
    text: id,
  });
  if (head === undefined) {
    throw new MeshError("not_found", `You sent no message "${id}", or it is over a day closed`);
  }
  if (other !== undefined) {
    throw new MeshError("ambiguous_prefix", `Two of your messages go by "${id}"`);
  }
  const recipients = await recipientStates(mail, store, head, nowMs);
  const delivered = recipients.length > 0 &&
    recipients.every(({ status }) => status === "delivered");
  const times = recipients.map(({ receivedAtMs }) => receivedAtMs ?? 0);
  return {
    messageId: head.id,
    targetSpec: head.targetSpec,
    priority: head.priority,
    createdAt: iso(head.createdAtMs),
    expiresAt: iso(head.expiresAtMs),
    delivered,
    deliveredAt: delivered ? iso(Math.max(...times)) : null,
    recipients: recipients.map(({ receivedAtMs: _time, ...status }) => status),
  };
}

type Recipient = RecipientStatus & { receivedAtMs: number | null };

async function recipientStates(
  mail: MeshMail,
  store: MessageStore,
  head: MessageHead,
  nowMs: number,
): Promise<Recipient[]> {
  // Those left out by their own grants look like members that are away.
  const numbers = head.recipients.map(Math.abs);
  const stored = new Map<number, Map<ReceiptRowState, number>>();
  for (
    const { memberNumber, state, atMs } of await store.receiptsOf(head.meshId, head.seq, numbers)
  ) {
    const states = stored.get(memberNumber) ?? new Map<ReceiptRowState, number>();
    stored.set(memberNumber, states.set(state, atMs));
  }
  const recipients: Recipient[] = [];
  for (const number of numbers) {
    const member = mail.mesh.membersByNumber.get(number);
    if (member === undefined) continue;
    const states = stored.get(number) ?? new Map<ReceiptRowState, number>();
    const reached = STORED_STATES.find((state) => states.has(state));
    const { state, atMs, reason } = reached === undefined
      ? openState(mail, member, head, nowMs)
      : { state: reached, atMs: states.get(reached) ?? nowMs, reason: null };
    recipients.push({
      name: member.displayName,
      pubkey: member.pubkey,
      status: COARSE[state],
      state,
      ...(reason === null ? {} : { reason }),
      at: iso(atMs),
      receivedAtMs: states.get("received") ?? states.get("seen") ?? null,
    });
  }
  return recipients;
}

/** What the original's clients can tell apart. */
const COARSE: Readonly<Record<ReceiptState, RecipientStatus["status"]>> = {
  stored: "disconnected",
  held: "held",
  pushed: "held",
  received: "delivered",
  seen: "delivered",
  expired: "disconnected",
};

interface OpenState {
  readonly state: ReceiptState;
  readonly atMs: number;
  readonly reason: string | null;
}

function openState(mail: MeshMail, member: Member, head: MessageHead, nowMs: number): OpenState {
  const delivery = mail.mailboxes.get(member)?.open.get(head.id);
  if (delivery?.state === "held") {
    return { state: "held", atMs: delivery.heldSinceMs, reason: delivery.holdReason };
  }
  if (delivery?.state === "pushed") {
    return { state: "pushed", atMs: delivery.pushedAtMs, reason: null };
  }
  if (head.expiresAtMs <= nowMs) return { state: "expired", atMs: head.expiresAtMs, reason: null };
  return { state: "stored", atMs: head.createdAtMs, reason: null };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
