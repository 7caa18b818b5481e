/**
 * Token buckets: so many calls a minute with a burst, per member, session or address.
 */
import { MeshError } from "../api/errors.ts";
import type { Clock } from "./clock.ts";

const MINUTE_MS = 60_000;
/** Buckets are looked through when there are so many more than after the last look. */
const SWEEP_STEP = 10_000;

interface Bucket {
  /** What it holds, as the time that filling it took: whole for all usual rates, so that no token is lost to rounding. */
  creditMs: number;
  atMs: number;
  /** When it will be full again, and may be forgotten. */
  fullAtMs: number;
}

/** How fast a bucket refills and how much it holds. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

/** Buckets by key; a full one is the same as none, so memory follows what is in use. */
export class RateLimits {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  #sweepAt = SWEEP_STEP;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes one token of `key`'s bucket.
   * @returns 0, or the milliseconds until there is one again; nothing is taken then.
   */
  take(key: string, rate: Rate): number {
    const bucket = this.#refilled(key, rate);
    const costMs = MINUTE_MS / rate.perMinute;
    if (bucket.creditMs < costMs) return Math.ceil(costMs - bucket.creditMs);
    bucket.creditMs -= costMs;
    bucket.fullAtMs = bucket.atMs + rate.burst * costMs - bucket.creditMs;
    return 0;
  }

  /** Like `take`, without taking: 0 when there is a token. */
  wait(key: string, rate: Rate): number {
    if (!this.#buckets.has(key)) return 0;
    const costMs = MINUTE_MS / rate.perMinute;
    return Math.ceil(Math.max(0, costMs - this.#refilled(key, rate).creditMs));
  }

  /**
   * Takes one token or refuses.
   * @throws {MeshError} `rate_limited` with the limit and `retry_after_ms`.
   */
  require(key: string, rate: Rate, what: string): void {
    const waitMs = this.take(key, rate);
    if (waitMs === 0) return;
    throw new MeshError(
      "rate_limited",
      `more than ${rate.perMinute} ${what} a minute; wait ${waitMs} ms and try again`,
      { data: { limit: rate.perMinute, retry_after_ms: waitMs } },
    );
  }

  #refilled(key: string, rate: Rate): Bucket {
    const nowMs = this.#clock.now();
    const fullMs = rate.burst * MINUTE_MS / rate.perMinute;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#sweep(nowMs);
      const fresh = { creditMs: fullMs, atMs: nowMs, fullAtMs: nowMs };
      this.#buckets.set(key, fresh);
      return fresh;
    }
    const elapsedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.creditMs = Math.min(fullMs, bucket.creditMs + elapsedMs);
    bucket.atMs = nowMs;
    return bucket;
  }

  #sweep(nowMs: number): void {
    if (this.#buckets.size < this.#sweepAt) return;
    for (const [key, bucket] of this.#buckets) {
      if (bucket.fullAtMs <= nowMs) this.#buckets.delete(key);
    }
    this.#sweepAt = this.#buckets.size + SWEEP_STEP;
  }
}
