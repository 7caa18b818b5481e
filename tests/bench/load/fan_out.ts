/**
 * One sender, many recipients: broadcasts as fast as the broker commits them and the recipients of the sender's own
 * process keep up.
 */
import { Arrivals, messageName } from "./arrivals.ts";
import { randomCiphertext } from "./ciphertext.ts";
import type { Prepared } from "./main.ts";
import { MeshSocket } from "./mesh_socket.ts";
import type { FanOutOrder, FanOutResult, Identity } from "./order.ts";

/** The name of the run that all processes of a fan-out share. */
export const FAN_OUT_RUN = "fan";

interface Recipient {
  readonly arrivals: Arrivals;
  readonly socket: MeshSocket;
}

/** Decides when the next message may go: not too many unacknowledged, not too far ahead of the slowest recipient. */
export class Throttle {
  readonly #limits: { readonly window: number; readonly lead: number };
  readonly #slowest: () => number;
  readonly #send: (index: number, last: boolean) => void;
  #endsAtMs = Infinity;
  #acknowledged = 0;
  #ended = false;
  sent = 0;
  firstSendAtMs: number | null = null;

  constructor(
    limits: { readonly window: number; readonly lead: number },
    slowest: () => number,
    send: (index: number, last: boolean) => void,
  ) {
    this.#limits = limits;
    this.#slowest = slowest;
    this.#send = send;
  }

  start(sendMs: number): void {
    this.firstSendAtMs = Date.now();
    this.#endsAtMs = this.firstSendAtMs + sendMs;
    this.advance();
  }

  acknowledge(): void {
    this.#acknowledged += 1;
    this.advance();
  }

  /** Sends what may be sent now; the one after the time is over is the last. */
  advance(): void {
    if (this.firstSendAtMs === null) return;
    while (
      !this.#ended && this.sent - this.#acknowledged < this.#limits.window &&
      this.sent - this.#slowest() < this.#limits.lead
    ) {
      this.#ended = Date.now() >= this.#endsAtMs;
      this.#send(this.sent, this.#ended);
      this.sent += 1;
    }
  }
}

/** Connects the recipients, and the sender if this process has it. */
export async function prepareFanOut(order: FanOutOrder): Promise<Prepared> {
  let refused = 0;
  let advance = () => {};
  const recipients = await Promise.all(order.recipients.map(async (identity) => {
    const arrivals = new Arrivals(FAN_OUT_RUN);
    const socket = await MeshSocket.connect({
      ...addressOf(order, identity),
      onDeliveries(deliveries) {
        arrivals.take(deliveries);
        advance();
      },
      onRefusal: () => refused += 1,
    });
    return { arrivals, socket };
  }));
  const ciphertext = randomCiphertext();
  let sender: MeshSocket | null = null;
  const throttle = new Throttle(order, () => slowestOf(recipients), (index, last) => {
    sender?.send({
      id: messageName(FAN_OUT_RUN, index, last),
      targetSpec: "*",
      ciphertext,
      epoch: 1,
    });
  });
  advance = () => throttle.advance();
  if (order.sender !== null) {
    sender = await MeshSocket.connect({
      ...addressOf(order, order.sender),
      onAck: () => throttle.acknowledge(),
      onRefusal: () => refused += 1,
    });
  }
  return {
    async run(): Promise<FanOutResult> {
      if (sender !== null) throttle.start(order.sendMs);
      await Promise.all(recipients.map(async ({ arrivals, socket }) => {
        await arrivals.whole;
        await socket.confirmAcks();
      }));
      return {
        sent: throttle.sent,
        delivered: recipients.reduce((sum, each) => sum + each.arrivals.count, 0),
        firstSendAtMs: throttle.firstSendAtMs,
        lastAckedAtMs: Date.now(),
        wrong: recipients.reduce((sum, each) => sum + each.arrivals.wrong, 0),
        refused,
      };
    },
    async end() {
      await sender?.close();
      await Promise.all(recipients.map(({ socket }) => socket.close()));
    },
  };
}

function addressOf(order: FanOutOrder, identity: Identity) {
  return { url: order.url, meshId: order.meshId, identity };
}

function slowestOf(recipients: readonly Recipient[]): number {
  let slowest = Infinity;
  for (const { arrivals } of recipients) slowest = Math.min(slowest, arrivals.count);
  return slowest;
}
