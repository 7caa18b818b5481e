/**
 * A socket over a bad network: frames arrive in order but late; when it breaks, what is on its way
 * is lost from some point on, and the two ends notice at different times.
 */
import type { FakeClock } from "./fake_clock.ts";
import type { SeededRandom } from "./seeded_random.ts";

export interface LinkEnd {
  frame(frame: string): void;
  closed(): void;
}

const MAX_DELAY_MS = 40;
const BROKER_NOTICES_MS = 3_000;
const AGENT_NOTICES_MS = 400;

/** One direction: in order, each frame with a delay of its own. */
class Lane {
  readonly #clock: FakeClock;
  readonly #random: SeededRandom;
  #end: LinkEnd | null = null;
  #lastArrivalMs = 0;
  #cutAtMs = Infinity;

  constructor(clock: FakeClock, random: SeededRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  attach(end: LinkEnd): void {
    this.#end = end;
  }

  send(frame: string): void {
    const atMs = this.#arrivalMs();
    this.#clock.after(atMs - this.#clock.now(), () => {
      if (atMs < this.#cutAtMs) this.#end?.frame(frame);
    });
  }

  /** The end hears of the close after what was sent before. */
  close(): void {
    this.#clock.after(this.#arrivalMs() - this.#clock.now(), () => this.#hearClose());
  }

  /** Loses what is on its way; the end notices after `noticeMs`. */
  cut(noticeMs: number): void {
    const cutAtMs = this.#clock.now() + this.#random.between(0, MAX_DELAY_MS);
    this.#cutAtMs = Math.min(this.#cutAtMs, cutAtMs);
    this.#clock.after(noticeMs, () => this.#hearClose());
  }

  /** The end is gone and hears nothing any more. */
  detach(): void {
    this.#end = null;
  }

  #hearClose(): void {
    const end = this.#end;
    this.#end = null;
    end?.closed();
  }

  #arrivalMs(): number {
    const atMs = this.#clock.now() + this.#random.between(0, MAX_DELAY_MS);
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, atMs);
    return this.#lastArrivalMs;
  }
}

export class SimLink {
  readonly toBroker: Lane;
  readonly toAgent: Lane;
  readonly #random: SeededRandom;

  constructor(clock: FakeClock, random: SeededRandom) {
    this.#random = random;
    this.toBroker = new Lane(clock, random);
    this.toAgent = new Lane(clock, random);
  }

  /** The network breaks. */
  cut(): void {
    this.toBroker.cut(this.#random.between(0, BROKER_NOTICES_MS));
    this.toAgent.cut(this.#random.between(0, AGENT_NOTICES_MS));
  }

  /** The agent's side ends; what it sent before may still arrive. */
  endAgent(): void {
    this.toAgent.detach();
    this.toBroker.close();
  }

  /** The broker's side ends. */
  endBroker(): void {
    this.toBroker.detach();
    this.toAgent.close();
  }
}
