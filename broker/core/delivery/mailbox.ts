/**
 * The open deliveries of one member: what waits, what is held, what is on its way, and how far its
 * log is closed.
 */
import type { Connection, Member } from "../model.ts";
import { Deque } from "./deque.ts";
import type { HoldReason, OpenDelivery, OpenMessage } from "./open_message.ts";
import { openDelivery } from "./open_message.ts";

export class Mailbox {
  readonly member: Member;
  /** All open deliveries by message id, in the order of the log. */
  readonly open = new Map<string, OpenDelivery>();
  /** `now` messages that wait to be pushed, in the order of the log. */
  readonly urgent = new Deque<OpenDelivery>();
  /** `next` and `low` messages that wait to be pushed, in the order of the log. */
  readonly ordinary = new Deque<OpenDelivery>();
  /** Held `next` messages, in the order of the log; may still list some that were closed. */
  held: OpenDelivery[] = [];
  /** Pushed and not acknowledged, in the order of pushing; may still list some that were closed. */
  readonly inFlight = new Deque<OpenDelivery>();
  inFlightCount = 0;
  inFlightBytes = 0;
  /** Where pushes went last; kept as long as nothing better comes. */
  outlet: Connection | null = null;
  /** Everything of the member up to here is closed but what is in `open`. */
  closedThrough = 0;
  /** Closed since the last write, by how. */
  received: number[] = [];
  expired: number[] = [];
  /** Got messages that were not looked at yet. */
  touched = false;

  /** How many messages of a sender are held, and the first of them. */
  readonly #heldSenders = new Map<Member, { count: number; firstSeq: number }>();
  #openBytes = 0;
  #reservedCount = 0;
  #reservedBytes = 0;

  constructor(member: Member) {
    this.member = member;
  }

  /** Open deliveries and those whose commit is under way. */
  get load(): { count: number; bytes: number } {
    return {
      count: this.open.size + this.#reservedCount,
      bytes: this.#openBytes + this.#reservedBytes,
    };
  }

  /** Returns whether a message of `size` bytes exceeds neither bound. */
  hasRoom(size: number, maxCount: number, maxBytes: number): boolean {
    return this.open.size + this.#reservedCount < maxCount &&
      this.#openBytes + this.#reservedBytes + size <= maxBytes;
  }

  /** Keeps room for a message until `release`. */
  reserve(size: number): void {
    this.#reservedCount++;
    this.#reservedBytes += size;
  }

  release(size: number): void {
    this.#reservedCount--;
    this.#reservedBytes -= size;
  }

  /** Adds a message, later in the log than all before it. */
  add(message: OpenMessage): void {
    const delivery = openDelivery(message);
    this.open.set(message.id, delivery);
    this.#openBytes += message.size;
    message.openCount++;
    (message.priority === "now" ? this.urgent : this.ordinary).push(delivery);
  }

  /** Closes a delivery, in whatever state it is. */
  close(delivery: OpenDelivery): void {
    const { message, state } = delivery;
    if (state === "closed") return;
    if (state === "pushed") this.#leaveFlight(message.size);
    if (state === "held") this.#unblock(message.sender);
    delivery.state = "closed";
    this.open.delete(message.id);
    this.#openBytes -= message.size;
    message.openCount--;
    if (message.seq > this.closedThrough) this.closedThrough = message.seq;
  }

  /** Notes that a delivery, taken from its queue, was pushed to `outlet`. */
  fly(delivery: OpenDelivery, outlet: Connection, nowMs: number): void {
    delivery.state = "pushed";
    delivery.pushedAtMs = nowMs;
    delivery.outlet = outlet;
    this.inFlight.push(delivery);
    this.inFlightCount++;
    this.inFlightBytes += delivery.message.size;
    if (this.inFlight.length > 2 * this.inFlightCount + 1024) {
      this.inFlight.retain((entry) => entry.state === "pushed");
    }
  }

  /** Puts deliveries that are on their way and chosen by `lost` back into their queues. */
  recall(lost: (delivery: OpenDelivery) => boolean): boolean {
    const back: OpenDelivery[] = [];
    this.inFlight.retain((delivery) => {
      if (delivery.state !== "pushed") return false;
      if (!lost(delivery)) return true;
      back.push(delivery);
      return false;
    });
    for (const delivery of back) {
      this.#leaveFlight(delivery.message.size);
      delivery.state = "waiting";
      delivery.outlet = null;
    }
    if (back.length > 0) {
      const isUrgent = ({ message }: OpenDelivery) => message.priority === "now";
      putBack(this.urgent, back.filter(isUrgent));
      putBack(this.ordinary, back.filter((delivery) => !isUrgent(delivery)));
    }
    return back.length > 0;
  }

  /** Notes that a delivery, taken from its queue, is held. */
  hold(delivery: OpenDelivery, reason: HoldReason, nowMs: number): void {
    delivery.state = "held";
    delivery.holdReason = reason;
    if (delivery.heldSinceMs === 0) delivery.heldSinceMs = nowMs;
    const { sender, seq } = delivery.message;
    const { count, firstSeq } = this.#heldSenders.get(sender) ?? { count: 0, firstSeq: seq };
    this.#heldSenders.set(sender, { count: count + 1, firstSeq: Math.min(firstSeq, seq) });
    // Mostly it is the last one; one that was let go and is held again goes back to its place.
    let place = this.held.length;
    while (place > 0 && (this.held[place - 1]?.message.seq ?? 0) > seq) place--;
    this.held.splice(place, 0, delivery);
  }

  /** Returns whether an earlier message of the same sender is held, so that this one must wait. */
  isBlocked({ sender, seq }: OpenMessage): boolean {
    const held = this.#heldSenders.get(sender);
    return held !== undefined && held.firstSeq < seq;
  }

  /**
   * Looks at all held deliveries again.
   * @param stillHeld why a delivery stays held, null to let it go.
   */
  reconsider(stillHeld: (delivery: OpenDelivery) => HoldReason | null): void {
    const before = this.held;
    this.held = [];
    this.#heldSenders.clear();
    const freed: OpenDelivery[] = [];
    for (const delivery of before) {
      if (delivery.state !== "held") continue;
      const reason = stillHeld(delivery) ?? (this.isBlocked(delivery.message) ? "order" : null);
      if (reason === null) {
        delivery.state = "waiting";
        freed.push(delivery);
      } else {
        this.hold(delivery, reason, delivery.heldSinceMs);
      }
    }
    // Later ones of the same sender may have come in meanwhile.
    if (freed.length > 0) putBack(this.ordinary, freed);
  }

  /** The open deliveries before the last closed one. */
  openBelow(): number[] {
    const seqs: number[] = [];
    for (const { message } of this.open.values()) {
      if (message.seq > this.closedThrough) break;
      seqs.push(message.seq);
    }
    return seqs;
  }

  #leaveFlight(size: number): void {
    this.inFlightCount--;
    this.inFlightBytes -= size;
  }

  #unblock(sender: Member): void {
    const held = this.#heldSenders.get(sender);
    if (held === undefined || held.count === 1) this.#heldSenders.delete(sender);
    else this.#heldSenders.set(sender, { ...held, count: held.count - 1 });
  }
}

/**
 * Puts deliveries back into a queue, which stays in the order of the log; mostly they go in front.
 */
function putBack(queue: Deque<OpenDelivery>, back: OpenDelivery[]): void {
  const lastSeq = Math.max(...back.map(({ message }) => message.seq));
  let front = queue.first();
  while (front !== undefined && front.message.seq < lastSeq) {
    queue.shift();
    back.push(front);
    front = queue.first();
  }
  back.sort((one, other) => other.message.seq - one.message.seq);
  for (const delivery of back) queue.unshift(delivery);
}
