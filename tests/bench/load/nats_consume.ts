/**
 * The peers of latency, fan-out and drain: durable JetStream consumers that acknowledge each message.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type ConsumerMessages, jetstream, type JsMsg } from "@nats-io/jetstream";
import { Arrivals, messageName } from "./arrivals.ts";
import { CIPHERTEXT_BYTES } from "./ciphertext.ts";
import { FAN_OUT_RUN, Throttle } from "./fan_out.ts";
import type { Prepared } from "./main.ts";
import type {
  DrainResult,
  FanOutResult,
  NatsDrainOrder,
  NatsFanOutOrder,
  NatsPaceOrder,
} from "./order.ts";
import { measurePace, Stopwatch } from "./pace.ts";
import { QUEUE_RUN } from "./queue.ts";

/** The one stream of the benchmark. */
export const STREAM = "bench";

/** Messages that a consumer asks for ahead, as many as the broker keeps under way per member. */
const AHEAD = 1024;

/** A payload of the measured size that begins with the message's name. */
export function namedPayload(name: string): Uint8Array {
  const payload = new Uint8Array(CIPHERTEXT_BYTES).fill(0x20);
  new TextEncoder().encodeInto(name, payload);
  return payload;
}

function nameOf(message: JsMsg): string {
  const end = message.data.indexOf(0x20);
  return new TextDecoder().decode(message.data.subarray(0, end));
}

async function consume(
  connection: NatsConnection,
  durable: string,
  onMessage: (message: JsMsg) => void,
): Promise<ConsumerMessages> {
  const consumer = await jetstream(connection).consumers.get(STREAM, durable);
  return await consumer.consume({ max_messages: AHEAD, callback: onMessage });
}

function dial(port: number): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${port}` });
}

/** Publisher and consumer in this process, so that one clock measures. */
export async function prepareNatsPace(order: NatsPaceOrder): Promise<Prepared> {
  const stopwatch = new Stopwatch();
  const receiving = await dial(order.port);
  await consume(receiving, order.durable, (message) => {
    stopwatch.stop(Number(nameOf(message).split(".")[1]));
    message.ack();
  });
  const sending = await dial(order.port);
  const stream = jetstream(sending);
  const acks: Promise<unknown>[] = [];
  return {
    async run() {
      const result = await measurePace(order, stopwatch, (index) => {
        acks.push(stream.publish(order.subject, namedPayload(messageName("pace", index))));
      });
      await Promise.all(acks);
      return result;
    },
    async end() {
      await Promise.all([sending.close(), receiving.close()]);
    },
  };
}

/** One connection per consumer, and the publisher if this process has it. */
export async function prepareNatsFanOut(order: NatsFanOutOrder): Promise<Prepared> {
  let advance = () => {};
  const recipients = await Promise.all(order.durables.map(async (durable) => {
    const arrivals = new Arrivals(FAN_OUT_RUN);
    const connection = await dial(order.port);
    await consume(connection, durable, (message) => {
      arrivals.takeName(nameOf(message));
      message.ack();
      advance();
    });
    return { arrivals, connection };
  }));
  const slowest = () => Math.min(...recipients.map(({ arrivals }) => arrivals.count));
  const { subject } = order;
  const sending = subject === null ? null : await dial(order.port);
  const stream = sending === null ? null : jetstream(sending);
  const throttle = new Throttle(order, slowest, (index, last) => {
    const payload = namedPayload(messageName(FAN_OUT_RUN, index, last));
    stream?.publish(subject ?? "", payload).then(() => throttle.acknowledge());
  });
  advance = () => throttle.advance();
  return {
    async run(): Promise<FanOutResult> {
      if (stream !== null) throttle.start(order.sendMs);
      await Promise.all(recipients.map(async ({ arrivals, connection }) => {
        await arrivals.whole;
        await connection.flush();
      }));
      return {
        sent: throttle.sent,
        delivered: recipients.reduce((sum, each) => sum + each.arrivals.count, 0),
        firstSendAtMs: throttle.firstSendAtMs,
        lastAckedAtMs: Date.now(),
        wrong: recipients.reduce((sum, each) => sum + each.arrivals.wrong, 0),
        refused: 0,
      };
    },
    async end() {
      await sending?.close();
      await Promise.all(recipients.map(({ connection }) => connection.close()));
    },
  };
}

/** A consumer that comes back to a full stream; connecting is part of what is measured. */
export function prepareNatsDrain(order: NatsDrainOrder): Prepared {
  const arrivals = new Arrivals(QUEUE_RUN);
  let connection: NatsConnection | null = null;
  return {
    async run(): Promise<DrainResult> {
      const startedAt = performance.now();
      connection = await dial(order.port);
      const greetedAt = performance.now();
      await consume(connection, order.durable, (message) => {
        arrivals.takeName(nameOf(message));
        message.ack();
      });
      await arrivals.whole;
      await connection.flush();
      const endedAt = performance.now();
      return {
        received: arrivals.count,
        wrong: arrivals.wrong,
        tookMs: endedAt - startedAt,
        sinceHelloMs: endedAt - greetedAt,
      };
    },
    async end() {
      await connection?.close();
    },
  };
}
