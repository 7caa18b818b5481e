/**
 * Requests that wait for their answer: each has an id of its own and is settled by the frame that carries this id, never
 * by another (against D74 of the reference).
 */
import type { AgentClock } from "./agent_clock.ts";
import { errorOf, type Frame } from "./frame.ts";
import { LocalError } from "./local_error.ts";

/** A request that was sent may have come through, although its answer did not. */
const MAY_BE_DONE = "it may have been done all the same: look before you do it again";

interface Waiting {
  readonly wire: string;
  resolve(frame: Frame): void;
  reject(error: Error): void;
  cancelTimer(): void;
}

export class PendingRequests {
  readonly #clock: AgentClock;
  readonly #waiting = new Map<string, Waiting>();
  #next = 1;

  constructor(clock: AgentClock) {
    this.#clock = clock;
  }

  /** Registers a request; `answer` rejects with LocalError `timeout` after `timeoutMs`. */
  add(wire: string, timeoutMs: number): { reqId: string; answer: Promise<Frame> } {
    const reqId = String(this.#next++);
    const answer = new Promise<Frame>((resolve, reject) => {
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(reqId);
        reject(
          new LocalError("timeout", `the broker did not answer ${wire} within ${timeoutMs} ms`, {
            hint: MAY_BE_DONE,
          }),
        );
      });
      this.#waiting.set(reqId, { wire, resolve, reject, cancelTimer });
    });
    return { reqId, answer };
  }

  /** Settles the request that `frame` answers; false when it answers none. */
  settle(frame: Frame): boolean {
    const reqId = frame._reqId;
    if (typeof reqId !== "string") return false;
    const waiting = this.#waiting.get(reqId);
    if (waiting === undefined) {
      // Too late, or made up: an answer is nothing that listeners could use.
      return true;
    }
    this.#waiting.delete(reqId);
    waiting.cancelTimer();
    if (frame.type === "error") waiting.reject(errorOf(frame));
    else waiting.resolve(frame);
    return true;
  }

  /** Rejects all of them with LocalError `offline`: the connection is gone, and why. */
  rejectAll(reason: string): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of all) {
      waiting.cancelTimer();
      const message = `${reason}, before the broker answered ${waiting.wire}`;
      waiting.reject(new LocalError("offline", message, { hint: MAY_BE_DONE }));
    }
  }
}
