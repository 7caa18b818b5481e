/**
 * A token bucket: keeps this agent below the rate at which its broker would refuse.
 */

export class Pace {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** `perMinute` in the long run, `burst` at once; full at `nowMs`. */
  constructor(perMinute: number, burst: number, nowMs: number) {
    this.#perMs = perMinute / 60_000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes one token and returns 0, or returns after how many milliseconds there will be one. */
  take(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs));
  }

  /** Empties the bucket: the broker has counted more than this agent. */
  drain(nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens = 0;
  }

  #refill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + passedMs * this.#perMs);
    this.#atMs = nowMs;
  }
}
