/**
 * Going on after a lost connection: tries a step again with growing pauses, as long as the reason is one that passes.
 */
import { ERRORS, MeshError } from "../../../broker/api/errors.ts";
import type { AgentClock } from "../agent_clock.ts";
import { LocalError } from "../local_error.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** How long nothing may succeed until the last reason is the answer. */
const GIVE_UP_MS = 5 * 60_000;
const PASSING: ReadonlySet<string> = new Set(["offline", "timeout"]);
/** Of a transfer's address, whose life has ended or whose broker was started again: a new one helps, once or twice. */
const ADDRESS_OVER: ReadonlySet<string> = new Set(["expired", "bad_signature"]);
const MAX_ADDRESSES = 3;
/** Somebody has to do something before the same step can succeed. */
const DECIDED: ReadonlySet<string> = new Set(["stale_epoch", "conflict"]);

function passes(error: unknown, failures: number): boolean {
  if (error instanceof LocalError) return PASSING.has(error.code);
  if (!(error instanceof MeshError)) return false;
  if (ADDRESS_OVER.has(error.code)) return failures < MAX_ADDRESSES;
  return ERRORS[error.code].retry && !DECIDED.has(error.code);
}

/** Counts how long a transfer has not come on, and waits between its tries. */
export class Persistence {
  readonly #clock: AgentClock;
  readonly #signal: AbortSignal;
  #pauseMs = FIRST_PAUSE_MS;
  #failingSinceMs: number | null = null;
  #failures = 0;

  /** Pauses end at once when `signal` is aborted. */
  constructor(clock: AgentClock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Something has come on. */
  progressed(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#failingSinceMs = null;
    this.#failures = 0;
  }

  /** Pauses before the next try. @throws `error` when it does not pass, or has not for too long; the signal's reason. */
  async pauseAfter(error: unknown): Promise<void> {
    this.#signal.throwIfAborted();
    if (!passes(error, this.#failures)) throw error;
    this.#failures++;
    const nowMs = this.#clock.now();
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs > GIVE_UP_MS) throw error;
    const wanted = error instanceof MeshError ? error.data.retry_after_ms ?? 0 : 0;
    const pauseMs = Math.max(this.#pauseMs * (0.5 + this.#clock.random() / 2), wanted);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    await this.#pause(pauseMs);
  }

  /** Takes a step until it succeeds. @throws as `pauseAfter`. */
  async until<T>(step: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        const done = await step();
        this.progressed();
        return done;
      } catch (error) {
        await this.pauseAfter(error);
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        cancel();
        reject(this.#signal.reason);
      };
      const cancel = this.#clock.after(delayMs, () => {
        this.#signal.removeEventListener("abort", stop);
        resolve();
      });
      this.#signal.addEventListener("abort", stop, { once: true });
    });
  }
}
