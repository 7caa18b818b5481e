/**
 * Direct messages between pairs: each sender keeps a window of messages under way, each recipient acknowledges.
 */
import { setTimeout as pause } from "node:timers/promises";
import { Arrivals, messageName } from "./arrivals.ts";
import { randomCiphertext } from "./ciphertext.ts";
import type { Prepared } from "./main.ts";
import { MeshSocket } from "./mesh_socket.ts";
import type { Pair, PairsOrder, RateResult } from "./order.ts";

/** One sender and its recipient, both connected here. */
class RunningPair {
  readonly #run = crypto.randomUUID();
  readonly #arrivals = new Arrivals(this.#run);
  readonly #target: string;
  readonly #ciphertext = randomCiphertext();
  #sender: MeshSocket | null = null;
  #recipient: MeshSocket | null = null;
  #sent = 0;
  #stopping = false;
  acknowledged = 0;
  refused = 0;

  constructor(pair: Pair) {
    this.#target = pair.recipient.pubkey;
  }

  get delivered(): number {
    return this.#arrivals.count;
  }

  get wrong(): number {
    return this.#arrivals.wrong;
  }

  async connect(order: PairsOrder, pair: Pair): Promise<void> {
    const { url, meshId } = order;
    const onRefusal = () => this.refused += 1;
    this.#recipient = await MeshSocket.connect({
      url,
      meshId,
      identity: pair.recipient,
      onDeliveries: (deliveries) => this.#arrivals.take(deliveries),
      onRefusal,
    });
    this.#sender = await MeshSocket.connect({
      url,
      meshId,
      identity: pair.sender,
      onAck: () => {
        this.acknowledged += 1;
        if (!this.#stopping) this.#sendNext(false);
      },
      onRefusal,
    });
  }

  start(window: number): void {
    for (let i = 0; i < window; i += 1) this.#sendNext(false);
  }

  /** Sends a last message and waits until it, and so everything before it, has arrived and is acknowledged. */
  async finish(): Promise<void> {
    this.#stopping = true;
    this.#sendNext(true);
    await this.#arrivals.whole;
    await this.#recipient?.confirmAcks();
  }

  async close(): Promise<void> {
    await this.#sender?.close();
    await this.#recipient?.close();
  }

  #sendNext(last: boolean): void {
    const id = messageName(this.#run, this.#sent, last);
    this.#sent += 1;
    this.#sender?.send({ id, targetSpec: this.#target, ciphertext: this.#ciphertext });
  }
}

/** Connects the pairs of an order. */
export async function preparePairs(order: PairsOrder): Promise<Prepared> {
  const pairs = await Promise.all(order.pairs.map(async (pair) => {
    const running = new RunningPair(pair);
    await running.connect(order, pair);
    return running;
  }));
  const total = (count: (pair: RunningPair) => number) =>
    pairs.reduce((sum, pair) => sum + count(pair), 0);
  return {
    async run(): Promise<RateResult> {
      for (const pair of pairs) pair.start(order.window);
      await pause(order.warmUpMs);
      const startedAt = performance.now();
      const before = { acknowledged: total((p) => p.acknowledged), got: total((p) => p.delivered) };
      await pause(order.measureMs);
      const tookMs = performance.now() - startedAt;
      const acknowledged = total((pair) => pair.acknowledged) - before.acknowledged;
      const delivered = total((pair) => pair.delivered) - before.got;
      await Promise.all(pairs.map((pair) => pair.finish()));
      return {
        acknowledged,
        delivered,
        tookMs,
        wrong: total((pair) => pair.wrong),
        refused: total((pair) => pair.refused),
        deliveredInAll: total((pair) => pair.delivered),
      };
    },
    async end() {
      await Promise.all(pairs.map((pair) => pair.close()));
    },
  };
}
