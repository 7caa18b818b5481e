/**
 * Time and randomness of the broker: the only place that touches the real ones, so that tests and simulations can put
 * their own in.
 */
import { randomBytes, randomId } from "../../crypto/random.ts";

/** Cancels a timer; harmless when it has fired. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after `delayMs`. */
  after(delayMs: number, run: () => void): CancelTimer;
}

export interface Random {
  /** 32 base62 characters. */
  id(): string;
  bytes(length: number): Uint8Array;
}

const MAX_TIMER_MS = 2_147_483_647;

/** The system's clock; delays past the longest native timer are waited for in steps. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    let handle: ReturnType<typeof setTimeout>;
    function wait(remainingMs: number): void {
      const stepMs = Math.min(remainingMs, MAX_TIMER_MS);
      handle = setTimeout(() => stepMs < remainingMs ? wait(remainingMs - stepMs) : run(), stepMs);
    }
    wait(Math.max(0, delayMs));
    return () => clearTimeout(handle);
  },
};

export const systemRandom: Random = { id: randomId, bytes: randomBytes };

/** Runs `run` every `periodMs` until cancelled. */
export function every(clock: Clock, periodMs: number, run: () => void): CancelTimer {
  let cancel = clock.after(periodMs, tick);
  function tick(): void {
    cancel = clock.after(periodMs, tick);
    run();
  }
  return () => cancel();
}
