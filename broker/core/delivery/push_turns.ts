/**
 * Mailboxes that got messages are pushed when the whole commit is through, in turns that leave the
 * event loop free for others now and then.
 */
import type { CancelTimer, Clock } from "../clock.ts";
import { Deque } from "./deque.ts";
import type { Mailbox } from "./mailbox.ts";

/** How long a turn may take. */
const TURN_MS = 8;

export interface PushTurnsParts {
  readonly clock: Clock;
  /** Pushes what waits in a mailbox; must not throw. */
  readonly pump: (mailbox: Mailbox) => void;
  /** Nothing is left to push. */
  readonly done: () => void;
}

export class PushTurns {
  readonly #parts: PushTurnsParts;
  readonly #touched = new Deque<Mailbox>();
  #running = false;
  #cancelTimer: CancelTimer = () => {};

  constructor(parts: PushTurnsParts) {
    this.#parts = parts;
  }

  /** Notes that a mailbox got something. */
  touch(mailbox: Mailbox): void {
    if (mailbox.touched) return;
    mailbox.touched = true;
    this.#touched.push(mailbox);
    if (this.#running) return;
    this.#running = true;
    // What else is told of the same commit comes before this.
    queueMicrotask(() => this.#run());
  }

  stop(): void {
    this.#cancelTimer();
    this.#touched.clear();
  }

  #run(): void {
    const { clock, pump, done } = this.#parts;
    const endMs = clock.now() + TURN_MS;
    for (let next = this.#touched.shift(); next !== undefined; next = this.#touched.shift()) {
      next.touched = false;
      pump(next);
      if (clock.now() < endMs || this.#touched.length === 0) continue;
      this.#cancelTimer = clock.after(0, () => this.#run());
      return;
    }
    this.#running = false;
    done();
  }
}
