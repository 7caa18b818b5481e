/**
 * Takes pushes: opens them, writes those of one turn in one transaction, acknowledges them in one frame. What cannot be
 * written is not acknowledged and tried again.
 */
import { setImmediate } from "node:timers";
import type { AgentClock } from "./agent_clock.ts";
import type { ArrivedMessage, Inbox } from "./inbox.ts";
import type { Link } from "./link.ts";
import type { InboxMessage } from "./mesh_peer_api.ts";
import { type OpenerKeys, openMessage } from "./message_opener.ts";
import { PING_TYPE } from "./ping_messages.ts";
import type { PushFrame } from "./push_frame.ts";

export interface ReceiverOptions {
  readonly inbox: Inbox;
  readonly keys: OpenerKeys;
  readonly clock: AgentClock;
  /** Tells new messages, after they are on disk. */
  onMessages(messages: readonly InboxMessage[]): void;
  /** Tells that this member's own test message has arrived, by its signed id. */
  onPing(id: string): void;
  /** Called when writing has begun to fail, or works again. */
  onProblem(): void;
}

/** Where the acknowledgement of a push goes. */
export type AckLink = Pick<Link, "post">;

interface Waiting {
  readonly message: ArrivedMessage;
  readonly link: AckLink;
}

const RETRY_MS = 5_000;
// More than a broker has under way at once; what is beyond is not acknowledged, so it comes again.
const MAX_WAITING = 8_192;
const MAX_ACKS = 1_024;

export class Receiver {
  readonly #options: ReceiverOptions;
  #waiting: Waiting[] = [];
  #waitingIds = new Set<string>();
  #scheduled = false;
  #failing = false;
  #cancelRetry: () => void = () => {};
  #closed = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Takes a push that came over `link`, which gets the acknowledgement. */
  take(push: PushFrame, link: AckLink): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) return;
    if (this.#waitingIds.has(push.messageId)) return;
    const { keys } = this.#options;
    this.#waiting.push({ message: openMessage(push, keys), link });
    this.#waitingIds.add(push.messageId);
    if (this.#scheduled || this.#failing) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.commit();
    });
  }

  /** Writes what has come and acknowledges it. */
  commit(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    const { inbox, clock, onMessages, onPing, onProblem } = this.#options;
    const ownKey = this.#options.keys.member.publicKey;
    const arrived = waiting.map((each) => each.message);
    const messages = arrived.filter((each) => !isOwnPing(each, ownKey));
    let fresh: InboxMessage[];
    try {
      fresh = messages.length === 0 ? [] : inbox.receive(messages);
    } catch {
      // The inbox explains itself in its problems; nothing is acknowledged until it takes messages again.
      this.#failing = true;
      this.#cancelRetry = clock.after(RETRY_MS, () => this.commit());
      onProblem();
      return;
    }
    this.#waiting = [];
    this.#waitingIds = new Set();
    acknowledge(waiting);
    const recovered = this.#failing;
    this.#failing = false;
    if (recovered) onProblem();
    for (const message of arrived) {
      if (isOwnPing(message, ownKey)) onPing(message.clientMessageId ?? "");
    }
    const shown = fresh.filter((message) => message.state !== "pending_key");
    if (shown.length > 0) onMessages(shown);
  }

  /** Tries again to open what waits for a key; returns how many messages became readable or rejected. */
  openPending(): number {
    const { inbox, keys, onMessages } = this.#options;
    const opened: InboxMessage[] = [];
    for (const { seq, frame } of inbox.pending()) {
      const message = openMessage(JSON.parse(frame) as PushFrame, keys);
      if (message.state === "pending_key") continue;
      const shown = inbox.replacePending(seq, message);
      if (shown !== null) opened.push(shown);
    }
    if (opened.length > 0) onMessages(opened);
    return opened.length;
  }

  /** Writes what has come, takes nothing any more. */
  close(): void {
    this.#cancelRetry();
    if (!this.#failing) this.commit();
    this.#closed = true;
    this.#cancelRetry();
  }
}

function isOwnPing(message: ArrivedMessage, ownKey: string): boolean {
  return message.type === PING_TYPE && message.senderKey === ownKey &&
    message.verification === "signed";
}

function acknowledge(waiting: readonly Waiting[]): void {
  const byLink = new Map<AckLink, string[]>();
  for (const { message, link } of waiting) {
    const ids = byLink.get(link);
    if (ids === undefined) byLink.set(link, [message.messageId]);
    else ids.push(message.messageId);
  }
  for (const [link, ids] of byLink) {
    for (let start = 0; start < ids.length; start += MAX_ACKS) {
      link.post("client_ack", { brokerMessageIds: ids.slice(start, start + MAX_ACKS) });
    }
  }
}
