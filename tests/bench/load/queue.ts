/**
 * Messages for a member that is away, and its return.
 */
import { Arrivals, messageName } from "./arrivals.ts";
import { randomCiphertext } from "./ciphertext.ts";
import type { Prepared } from "./main.ts";
import { MeshSocket } from "./mesh_socket.ts";
import type { DrainOrder, DrainResult, QueueOrder, QueueResult } from "./order.ts";

/** The name of the run that fills the queue and the one that empties it. */
export const QUEUE_RUN = "queue";

/** Connects the sender. */
export async function prepareQueue(order: QueueOrder): Promise<Prepared> {
  const { url, meshId, pair, messages } = order;
  let sent = 0;
  let acknowledged = 0;
  let refused = 0;
  let onEnd = () => {};
  const ended = new Promise<void>((resolve) => onEnd = resolve);
  const ciphertext = randomCiphertext();
  const sendNext = () => {
    if (sent === messages) return;
    const id = messageName(QUEUE_RUN, sent, sent === messages - 1);
    sent += 1;
    sender.send({ id, targetSpec: pair.recipient.pubkey, ciphertext });
  };
  const settle = () => {
    if (acknowledged + refused === messages) onEnd();
    sendNext();
  };
  const sender = await MeshSocket.connect({
    url,
    meshId,
    identity: pair.sender,
    onAck() {
      acknowledged += 1;
      settle();
    },
    onRefusal() {
      refused += 1;
      settle();
    },
  });
  return {
    async run(): Promise<QueueResult> {
      for (let i = 0; i < order.window; i += 1) sendNext();
      await ended;
      return { acknowledged, refused };
    },
    async end() {
      await sender.close();
    },
  };
}

/** Connects the recipient when it is told to go: that is what is measured. */
export function prepareDrain(order: DrainOrder): Prepared {
  const { url, meshId, recipient } = order;
  const arrivals = new Arrivals(QUEUE_RUN);
  let socket: MeshSocket | null = null;
  return {
    async run(): Promise<DrainResult> {
      const startedAt = performance.now();
      socket = await MeshSocket.connect({
        url,
        meshId,
        identity: recipient,
        onDeliveries: (deliveries) => arrivals.take(deliveries),
      });
      const greetedAt = performance.now();
      await arrivals.whole;
      await socket.confirmAcks();
      const endedAt = performance.now();
      return {
        received: arrivals.count,
        wrong: arrivals.wrong,
        tookMs: endedAt - startedAt,
        sinceHelloMs: endedAt - greetedAt,
      };
    },
    async end() {
      await socket?.close();
    },
  };
}
