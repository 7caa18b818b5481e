/**
 * Which messages an acknowledgement means.
 */
import type * as z from "zod";
import type { messaging } from "../../api/messaging.ts";
import type { Mailbox } from "./mailbox.ts";

export type AckInput = z.output<typeof messaging.clientAck.input>;

/**
 * Returns the message ids that `input` names; they need not be open. A sender's own id counts only
 * without others, and only if it can mean but one message on its way: senders choose it, and two
 * may choose the same.
 */
export function ackedIds(mailbox: Mailbox, input: AckInput): readonly string[] {
  const { brokerMessageId, brokerMessageIds = [], clientMessageId } = input;
  if (brokerMessageId !== undefined) return [...brokerMessageIds, brokerMessageId];
  if (brokerMessageIds.length > 0 || clientMessageId === undefined) return brokerMessageIds;
  const found = [...mailbox.inFlight].filter(({ state, message }) =>
    state === "pushed" && message.clientMessageId === clientMessageId
  );
  return found.length === 1 ? found.map(({ message }) => message.id) : [];
}
