/**
 * A clock that stands still until it is told to go on; timers run in the order of their times.
 */
import type { CancelTimer, Clock } from "../../broker/core/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly place: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #place = 0;
  /** A binary heap: the earliest in front. */
  readonly #timers: Timer[] = [];

  constructor(startMs = 1_795_000_000_000) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): CancelTimer {
    const timer = { atMs: this.#nowMs + delayMs, place: this.#place++, run, cancelled: false };
    this.#push(timer);
    return () => {
      timer.cancelled = true;
    };
  }

  /** When the next timer runs; null without one. */
  get nextAtMs(): number | null {
    while (this.#timers[0]?.cancelled) this.#pop();
    return this.#timers[0]?.atMs ?? null;
  }

  /** Goes on to the next timer and runs it. */
  step(): void {
    const atMs = this.nextAtMs;
    if (atMs === null) return;
    this.#nowMs = Math.max(this.#nowMs, atMs);
    this.#pop()?.run();
  }

  /**
   * Goes on by `durationMs`, running what becomes due; awaits pending promises after each timer.
   */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    await settle();
    for (let next = this.nextAtMs; next !== null && next <= endMs; next = this.nextAtMs) {
      this.step();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isEarlier(heap[parent], timer)) break;
      heap[index] = heap[parent] as Timer;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#timers;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (isEarlier(heap[child + 1], heap[child])) child++;
      if (isEarlier(last, heap[child])) break;
      heap[index] = heap[child] as Timer;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isEarlier(one: Timer | undefined, other: Timer | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.place < other.place);
}

const SETTLE_TURNS = 40;

/** Lets promises that wait for nothing but each other come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await null;
}
