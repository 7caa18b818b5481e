/**
 * Signed hellos that were accepted, for as long as their time would pass the check again: none is accepted twice.
 */
import type { Clock } from "./clock.ts";

export class ReplayCache {
  readonly #clock: Clock;
  readonly #windowMs: number;
  /** Hello -> when its own time leaves the window. */
  readonly #used = new Map<string, number>();
  #sweepAtMs = 0;

  /** @param windowMs how far a hello's time may be off, either way. */
  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** Notes a hello whose signature is good; returns false when it was noted before. */
  accept(pubkey: string, timestamp: number, signature: string): boolean {
    const nowMs = this.#clock.now();
    this.#sweep(nowMs);
    // The case of the digits is not signed.
    const key = `${pubkey}|${timestamp}|${signature}`.toLowerCase();
    if (this.#used.has(key)) return false;
    this.#used.set(key, timestamp + this.#windowMs);
    return true;
  }

  #sweep(nowMs: number): void {
    if (nowMs < this.#sweepAtMs) return;
    this.#sweepAtMs = nowMs + this.#windowMs;
    for (const [key, endsAtMs] of this.#used) if (endsAtMs < nowMs) this.#used.delete(key);
  }
}
