/**
 * What becomes due in mailboxes: pushes without an acknowledgement are pushed again, holds run out.
 * One timer serves all of them, set to the earliest.
 */
import type { CancelTimer, Clock } from "../clock.ts";
import type { Mailbox } from "./mailbox.ts";

/** Deadlines closer together than this are served together. */
const MIN_SPACING_MS = 50;

export interface DeadlinesParts {
  readonly clock: Clock;
  readonly ackDeadlineMs: number;
  readonly holdMs: number;
  /** Looks at a mailbox again: its late pushes were put back, or a hold may have run out. */
  readonly drain: (mailbox: Mailbox) => void;
}

export class Deadlines {
  readonly #parts: DeadlinesParts;
  readonly #watched = new Set<Mailbox>();
  #armedForMs = Infinity;
  #cancelTimer: CancelTimer = () => {};

  constructor(parts: DeadlinesParts) {
    this.#parts = parts;
  }

  /**
   * Looks at a mailbox at `dueMs` at the latest, and from then on as long as anything in it can
   * become due.
   */
  watch(mailbox: Mailbox, dueMs: number): void {
    this.#watched.add(mailbox);
    if (dueMs < this.#armedForMs) this.#arm(dueMs);
  }

  /** Serves what is due. */
  run(): void {
    const nowMs = this.#parts.clock.now();
    let nextMs = Infinity;
    this.#armedForMs = -Infinity;
    for (const mailbox of [...this.#watched]) {
      if (this.#dueMs(mailbox) <= nowMs) {
        mailbox.recall(({ pushedAtMs }) => pushedAtMs + this.#parts.ackDeadlineMs <= nowMs);
        this.#parts.drain(mailbox);
      }
      const dueMs = this.#dueMs(mailbox);
      if (dueMs === Infinity) this.#watched.delete(mailbox);
      else if (dueMs < nextMs) nextMs = dueMs;
    }
    this.#arm(Math.max(nextMs, nowMs + MIN_SPACING_MS));
  }

  stop(): void {
    this.#cancelTimer();
    this.#watched.clear();
  }

  #arm(dueMs: number): void {
    this.#cancelTimer();
    this.#armedForMs = dueMs;
    if (dueMs === Infinity) return;
    const { clock } = this.#parts;
    this.#cancelTimer = clock.after(Math.max(0, dueMs - clock.now()), () => this.run());
  }

  /** When the mailbox must be looked at next; Infinity for never. */
  #dueMs(mailbox: Mailbox): number {
    const { ackDeadlineMs, holdMs } = this.#parts;
    let dueMs = Infinity;
    const { inFlight, held } = mailbox;
    // The oldest push is in front; closed ones are cleared away on the way.
    let oldest = inFlight.first();
    while (oldest !== undefined && oldest.state !== "pushed") {
      inFlight.shift();
      oldest = inFlight.first();
    }
    if (oldest !== undefined) dueMs = oldest.pushedAtMs + ackDeadlineMs;
    for (const { state, heldSinceMs } of held) {
      if (state === "held") dueMs = Math.min(dueMs, heldSinceMs + holdMs);
    }
    return dueMs;
  }
}
