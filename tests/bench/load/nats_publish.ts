/**
 * The peer of the direct messages: publishers of JetStream that wait for the acknowledgement of each message.
 */
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import { CIPHERTEXT_BYTES } from "./ciphertext.ts";
import type { Prepared } from "./main.ts";
import type { NatsPublishOrder, RateResult } from "./order.ts";

/** Connects one client per subject. */
export async function prepareNatsPublish(order: NatsPublishOrder): Promise<Prepared> {
  const publishers = await Promise.all(order.subjects.map(async (subject) => {
    const connection = await connect({ servers: `127.0.0.1:${order.port}` });
    return { subject, connection, stream: jetstream(connection) };
  }));
  const payload = crypto.getRandomValues(new Uint8Array(CIPHERTEXT_BYTES));
  let acknowledged = 0;
  let stopping = false;
  return {
    async run(): Promise<RateResult> {
      const lanes = publishers.flatMap(({ stream, subject }) =>
        Array.from({ length: order.window }, async () => {
          while (!stopping) {
            await stream.publish(subject, payload);
            acknowledged += 1;
          }
        })
      );
      await pause(order.warmUpMs);
      const startedAt = performance.now();
      const before = acknowledged;
      await pause(order.measureMs);
      const tookMs = performance.now() - startedAt;
      const counted = acknowledged - before;
      stopping = true;
      await Promise.all(lanes);
      return {
        acknowledged: counted,
        delivered: 0,
        tookMs,
        wrong: 0,
        refused: 0,
        deliveredInAll: 0,
      };
    },
    async end() {
      await Promise.all(publishers.map(({ connection }) => connection.close()));
    },
  };
}
