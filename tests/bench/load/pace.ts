/**
 * One pair at a fixed rate: how long from the call of send until the delivery is in the recipient's hands.
 */
import { setTimeout as pause } from "node:timers/promises";
import { messageName } from "./arrivals.ts";
import { randomCiphertext } from "./ciphertext.ts";
import type { Prepared } from "./main.ts";
import { MeshSocket } from "./mesh_socket.ts";
import type { PaceOrder, PaceResult } from "./order.ts";

/** Sends at a fixed rate and measures each message; the first ones are not counted. */
export async function measurePace(
  order: { readonly perSecond: number; readonly warmUpMessages: number; readonly messages: number },
  stopwatch: Stopwatch,
  send: (index: number) => void,
): Promise<PaceResult> {
  const stepMs = 1000 / order.perSecond;
  const total = order.warmUpMessages + order.messages;
  const startedAt = performance.now();
  for (let index = 0; index < total; index += 1) {
    const waitMs = startedAt + index * stepMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    stopwatch.start(index);
    send(index);
  }
  await stopwatch.stopped(total);
  return { latenciesMs: stopwatch.latenciesMs.slice(order.warmUpMessages) };
}

/** Times of messages by their number. */
export class Stopwatch {
  readonly latenciesMs: number[] = [];
  readonly #startedAt: number[] = [];
  #onStop: () => void = () => {};

  start(index: number): void {
    this.#startedAt[index] = performance.now();
  }

  stop(index: number): void {
    const startedAt = this.#startedAt[index];
    if (startedAt === undefined) throw new RangeError(`message ${index} was never sent`);
    this.latenciesMs.push(performance.now() - startedAt);
    this.#onStop();
  }

  async stopped(count: number): Promise<void> {
    while (this.latenciesMs.length < count) {
      await new Promise<void>((resolve) => this.#onStop = resolve);
    }
  }
}

/** Connects both sides of the pair in this process, so that one clock measures. */
export async function preparePace(order: PaceOrder): Promise<Prepared> {
  const { url, meshId, pair } = order;
  const run = crypto.randomUUID();
  const stopwatch = new Stopwatch();
  const recipient = await MeshSocket.connect({
    url,
    meshId,
    identity: pair.recipient,
    onDeliveries(deliveries) {
      for (const { client_message_id } of deliveries) {
        stopwatch.stop(Number(client_message_id?.split(".")[1]));
      }
    },
  });
  const sender = await MeshSocket.connect({ url, meshId, identity: pair.sender });
  const ciphertext = randomCiphertext();
  return {
    run() {
      return measurePace(order, stopwatch, (index) => {
        sender.send({
          id: messageName(run, index),
          targetSpec: pair.recipient.pubkey,
          ciphertext,
        });
      });
    },
    async end() {
      await recipient.confirmAcks();
      await Promise.all([sender.close(), recipient.close()]);
    },
  };
}
