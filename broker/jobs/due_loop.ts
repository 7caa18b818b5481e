/**
 * Does work that comes due at known times: sleeps until the next time but never for long, so that a change of the
 * system's clock, another broker's writes and native timers' limits matter for a minute at most.
 */
import type { CancelTimer, Clock } from "../core/clock.ts";

const LONGEST_SLEEP_MS = 60_000;
/** After a failure, for example of the store. */
const RETRY_MS = 5_000;

export interface DueWork {
  /** Does what is due; returns whether more may be due at once. */
  runDue(): Promise<boolean>;
  /** Real milliseconds until something is due; null when nothing is known of. */
  untilNext(): Promise<number | null>;
}

export interface DueLoopParts {
  readonly clock: Clock;
  readonly work: DueWork;
  readonly onError: (error: unknown) => void;
}

export class DueLoop {
  readonly #parts: DueLoopParts;
  #cancel: CancelTimer = () => {};
  #running = false;
  #again = false;
  #stopped = false;

  constructor(parts: DueLoopParts) {
    this.#parts = parts;
  }

  /** Looks for work now, or once more when it is at it. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#cancel();
    this.#running = true;
    this.#run();
  }

  /** Starts nothing any more; what is under way ends by itself. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #run(): Promise<void> {
    const { clock, work, onError } = this.#parts;
    let sleepMs: number;
    try {
      do {
        this.#again = false;
        while (!this.#stopped && await work.runDue());
        const nextMs = this.#stopped ? null : await work.untilNext();
        sleepMs = Math.min(LONGEST_SLEEP_MS, Math.max(0, nextMs ?? LONGEST_SLEEP_MS));
      } while (this.#again && !this.#stopped);
    } catch (error) {
      sleepMs = RETRY_MS;
      // Whoever stops takes the store away under what is still under way.
      if (!this.#stopped) onError(error);
    }
    this.#running = false;
    if (!this.#stopped) this.#cancel = clock.after(sleepMs, () => this.wake());
  }
}
