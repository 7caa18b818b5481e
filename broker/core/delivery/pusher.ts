/**
 * Pushes what waits in mailboxes: in order, within a window of unacknowledged bytes, never what its
 * recipient holds off or does not want.
 */
import type { Clock } from "../clock.ts";
import { isGranted } from "../grants.ts";
import type { Metrics } from "../metrics.ts";
import type { Connection } from "../model.ts";
import type { Closings } from "./closings.ts";
import { HoldView } from "./holds.ts";
import type { Mailbox } from "./mailbox.ts";
import type { OpenDelivery } from "./open_message.ts";
import { chooseOutlet, outletOf } from "./outlets.ts";
import { BatchJoiner, withReason } from "./push_frame.ts";

/** Pushed and not acknowledged, per mailbox. */
const WINDOW_MESSAGES = 1_024;
const WINDOW_BYTES = 4 * 1_048_576;
/** Frames handed to a connection at once. */
const RUN_MESSAGES = 256;

export interface PusherParts {
  readonly clock: Clock;
  readonly closings: Closings;
  readonly metrics: Pick<Metrics, "droppedByGrant">;
  /** Asks for the texts that a mailbox needs next; it is pumped again then. */
  readonly requestPayloads: (mailbox: Mailbox) => void;
  /** Hears of mailboxes that have something in flight or on hold. */
  readonly watch: (mailbox: Mailbox, dueMs: number) => void;
  readonly ackDeadlineMs: number;
  readonly holdMs: number;
}

export class Pusher {
  readonly #parts: PusherParts;
  readonly #joiner = new BatchJoiner();

  constructor(parts: PusherParts) {
    this.#parts = parts;
  }

  /**
   * Looks at held messages again, then pushes: after anything about the member's sessions changed.
   */
  drain(mailbox: Mailbox): void {
    const view = new HoldView(mailbox.member);
    this.release(mailbox, view);
    this.pump(mailbox, view);
  }

  /** Lets go of held messages that need not wait any more. */
  release(mailbox: Mailbox, view: HoldView): void {
    if (mailbox.held.length === 0) return;
    const nowMs = this.#parts.clock.now();
    mailbox.reconsider((delivery) => {
      if (nowMs - delivery.heldSinceMs >= this.#parts.holdMs) {
        delivery.holdExpired = true;
        return null;
      }
      return view.reason(delivery.message);
    });
  }

  /** Pushes what waits, as far as the window goes. */
  pump(mailbox: Mailbox, view?: HoldView): void {
    if (mailbox.urgent.length === 0 && mailbox.ordinary.length === 0) return;
    if (isWindowFull(mailbox)) return;
    const best = chooseOutlet(mailbox);
    if (best === null) return;
    if (mailbox.outlet !== null && best !== mailbox.outlet) {
      mailbox.recall(({ message, outlet }) => outlet !== outletOf(message, mailbox.member, best));
    }
    mailbox.outlet = best;
    const holds = view ?? new HoldView(mailbox.member);
    while (best.open && this.#pushRun(mailbox, best, holds));
  }

  /** Pushes deliveries that go to the same connection; returns whether there may be more to do. */
  #pushRun(mailbox: Mailbox, best: Connection, holds: HoldView): boolean {
    const nowMs = this.#parts.clock.now();
    const frames: string[] = [];
    const unacknowledged: OpenDelivery[] = [];
    let target: Connection | null = null;
    let more = false;
    for (;;) {
      const delivery = this.#next(mailbox, holds, nowMs);
      if (delivery === null || isWindowFull(mailbox)) break;
      const { message } = delivery;
      if (message.frame === null) {
        this.#parts.requestPayloads(mailbox);
        break;
      }
      const outlet = outletOf(message, mailbox.member, best);
      more = frames.length >= RUN_MESSAGES || (target !== null && outlet !== target);
      if (more) break;
      target = outlet;
      frames.push(
        delivery.holdExpired ? withReason(message.frame, "hold_expired") : message.frame,
      );
      this.#takeOff(mailbox, delivery, outlet, nowMs);
      if (!outlet.acks) unacknowledged.push(delivery);
    }
    if (target !== null) this.#send(target, frames);
    // A connection that never acknowledges has what it was sent, unless it broke meanwhile.
    if (target?.open) {
      for (const delivery of unacknowledged) {
        this.#parts.closings.close(mailbox, delivery, "received");
      }
    }
    return more;
  }

  /** The first delivery that may go now; those that may not are held or closed on the way. */
  #next(mailbox: Mailbox, holds: HoldView, nowMs: number): OpenDelivery | null {
    for (;;) {
      const queue = mailbox.urgent.length > 0 ? mailbox.urgent : mailbox.ordinary;
      const delivery = queue.first();
      if (delivery === undefined) return null;
      if (delivery.state === "waiting" && this.#mayGo(mailbox, delivery, holds, nowMs)) {
        return delivery;
      }
      queue.shift();
    }
  }

  #mayGo(mailbox: Mailbox, delivery: OpenDelivery, holds: HoldView, nowMs: number): boolean {
    const { message } = delivery;
    const { closings, metrics, watch, holdMs } = this.#parts;
    if (message.expiresAtMs <= nowMs) {
      closings.close(mailbox, delivery, "expired");
      return false;
    }
    if (!isGranted(mailbox.member, message.sender, message.capability)) {
      closings.close(mailbox, delivery, null);
      metrics.droppedByGrant.inc({ cap: message.capability });
      return false;
    }
    // What was pushed before may have arrived: holding it would only put it behind later ones.
    if (message.priority !== "next" || delivery.holdExpired || delivery.pushedAtMs > 0) return true;
    const reason = holds.reason(message) ?? (mailbox.isBlocked(message) ? "order" : null);
    if (reason === null) return true;
    mailbox.hold(delivery, reason, nowMs);
    watch(mailbox, delivery.heldSinceMs + holdMs);
    return false;
  }

  /** Moves a delivery from its queue into flight. */
  #takeOff(mailbox: Mailbox, delivery: OpenDelivery, outlet: Connection, nowMs: number): void {
    (delivery.message.priority === "now" ? mailbox.urgent : mailbox.ordinary).shift();
    mailbox.fly(delivery, outlet, nowMs);
    this.#parts.watch(mailbox, nowMs + this.#parts.ackDeadlineMs);
  }

  #send(connection: Connection, frames: readonly string[]): void {
    const sent = connection.batch ? this.#joiner.join(frames) : frames;
    for (const frame of sent) {
      if (!connection.open) return;
      connection.send(frame);
    }
  }

  /** Forgets what it keeps between recipients. */
  endTurn(): void {
    this.#joiner.clear();
  }
}

function isWindowFull(mailbox: Mailbox): boolean {
  return mailbox.inFlightCount >= WINDOW_MESSAGES || mailbox.inFlightBytes >= WINDOW_BYTES;
}
