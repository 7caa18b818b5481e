/**
 * Sending, acknowledging and following messages; the work is delivery's.
 */
import type { messaging as contract } from "../api/messaging.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";

// None of these waits before it has called delivery: the order of frames is the order of messages.
export const messaging: Handlers<typeof contract, Call> = {
  send({ broker, connection }, input) {
    broker.activity.count(connection.member, "messagesOut");
    return broker.delivery.send(connection, input);
  },

  messageStatus: ({ broker, connection }, { messageId }) =>
    broker.delivery.status(connection.member, messageId),

  clientAck({ broker, connection }, input) {
    const closed = broker.delivery.ack(connection, input);
    broker.activity.count(connection.member, "messagesIn", closed);
    return Promise.resolve({ closed });
  },

  clientSeen({ broker, connection }, input) {
    return Promise.resolve({ seen: broker.delivery.seen(connection, input) });
  },
};
