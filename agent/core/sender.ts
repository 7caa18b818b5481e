/**
 * Sends what waits in the outbox: in order, up to 64 at a time, again after a reconnect (the broker knows a repeat by its
 * id), slower when the broker says so. A recipient whose queue is full or a group whose key is missing holds up only
 * messages to itself.
 */
import { ERRORS, MeshError } from "../../broker/api/errors.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import type { AgentClock } from "./agent_clock.ts";
import type { Frame } from "./frame.ts";
import type { Link } from "./link.ts";
import { LocalError } from "./local_error.ts";
import type { Outbox, OutboxEntry, QueuedEntry } from "./outbox.ts";
import { Pace } from "./pace.ts";

/** The broker's answer to a message. */
export interface Committed {
  readonly messageId: string;
  readonly recipients: number;
}

export interface SenderOptions {
  readonly outbox: Outbox;
  readonly clock: AgentClock;
  /** The connection for a message of this session (null: of none); null when none is up. */
  link(sessionId: string | null): Pick<Link, "request"> | null;
  /** The fields of the `send` frame; null while the mesh key for it is missing. Throws on what can never be sent. */
  prepare(entry: OutboxEntry): Readonly<Record<string, unknown>> | null;
  /** Fetches the mesh keys: the broker has refused an old epoch. */
  refreshKeys(): Promise<void>;
  /** Called when the number of waiting or refused messages has changed. */
  onChange(): void;
}

interface Waiter {
  resolve(committed: Committed): void;
  reject(error: unknown): void;
}

const WINDOW = 64;
const ANSWER_TIMEOUT_MS = 15_000;
const PAUSE_MS = 1_000;
const FULL_QUEUE_PAUSE_MS = 5_000;
/** A broker's bug may pass; after so many tries the message is kept as refused. */
const INTERNAL_TRIES = 5;

export class Sender {
  readonly #options: SenderOptions;
  readonly #waiters = new Map<string, Waiter>();
  readonly #inFlight = new Set<number>();
  /** Target -> until when its messages wait (ms); Infinity until keys have changed. */
  readonly #blocked = new Map<string, number>();
  readonly #internalTries = new Map<number, number>();
  #pace: Pace;
  #link: Pick<Link, "request"> | null = null;
  #pausedUntilMs = 0;
  #halted = false;
  #wakeAtMs = Infinity;
  #cancelWake: () => void = () => {};
  #stopped = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { sendsPerMinute, sendBurst } = LIMITS;
    this.#pace = new Pace(sendsPerMinute.value, sendBurst.value, options.clock.now());
  }

  /** Takes over the limits that a broker told in its `hello_ack`. */
  setPace(perMinute: number, burst: number): void {
    this.#pace = new Pace(perMinute, burst, this.#options.clock.now());
  }

  /** Resolves when the broker has committed the message; rejects when it refuses it for good. */
  committed(id: string): Promise<Committed> {
    return new Promise((resolve, reject) => this.#waiters.set(id, { resolve, reject }));
  }

  /** Nobody waits for this message any more. */
  forget(id: string): void {
    this.#waiters.delete(id);
  }

  /** Messages that waited for a mesh key may go now. */
  keysChanged(): void {
    for (const [target, until] of this.#blocked) {
      if (until === Infinity) this.#blocked.delete(target);
    }
    this.pump();
  }

  /** Sends what may be sent now; called after every change of what decides that. */
  pump(): void {
    if (this.#stopped) return;
    const { outbox, clock } = this.#options;
    const nowMs = clock.now();
    if (nowMs < this.#pausedUntilMs) return this.#wakeAt(this.#pausedUntilMs);
    // After a refusal everything is answered first: what was refused goes again before what came behind it.
    if (this.#halted && this.#inFlight.size > 0) return;
    this.#halted = false;
    for (const entry of [...outbox.queue.slice(0, WINDOW * 2)]) {
      if (this.#inFlight.size >= WINDOW) return;
      if (this.#inFlight.has(entry.seq) || this.#isBlocked(entry.target, nowMs)) continue;
      if (!this.#trySend(entry, nowMs)) return;
    }
    this.#pumpBeyondBlocked(nowMs);
  }

  /** Sends nothing any more; answers that still come are written down. */
  stop(): void {
    this.#stopped = true;
    this.#cancelWake();
    for (const waiter of this.#waiters.values()) {
      waiter.reject(new LocalError("offline", "the agent is stopping; the message is kept"));
    }
    this.#waiters.clear();
  }

  /** Where the first messages are all held up by their targets, those behind them are looked at too. */
  #pumpBeyondBlocked(nowMs: number): void {
    const { queue } = this.#options.outbox;
    if (queue.length <= WINDOW * 2 || this.#blocked.size === 0) return;
    for (const entry of [...queue]) {
      if (this.#inFlight.size >= WINDOW) return;
      if (this.#inFlight.has(entry.seq) || this.#isBlocked(entry.target, nowMs)) continue;
      if (!this.#trySend(entry, nowMs)) return;
    }
  }

  /** False when nothing behind this message can go either. */
  #trySend(queued: QueuedEntry, nowMs: number): boolean {
    const { outbox } = this.#options;
    const link = this.#options.link(queued.sessionId);
    if (link === null) return false;
    // Two connections keep no order between them: the second one waits until the first has answered everything.
    if (this.#inFlight.size > 0 && link !== this.#link) return false;
    const entry = outbox.read(queued.seq);
    if (entry === null) {
      const lost = new LocalError("store_broken", "the outbox was damaged and lost this message");
      void this.#drop(queued, "store_broken", lost);
      return true;
    }
    let frame: Readonly<Record<string, unknown>> | null;
    try {
      frame = this.#options.prepare(entry);
    } catch (error) {
      void this.#drop(queued, "invalid_argument", error);
      return true;
    }
    if (frame === null) {
      this.#blocked.set(queued.target, Infinity);
      return true;
    }
    const waitMs = this.#pace.take(nowMs);
    if (waitMs > 0) {
      this.#wakeAt(nowMs + waitMs);
      return false;
    }
    this.#link = link;
    this.#inFlight.add(queued.seq);
    link.request("send", frame, ANSWER_TIMEOUT_MS).then(
      (answer) => this.#accepted(queued, answer),
      (error: unknown) => this.#failed(queued, error),
    );
    return true;
  }

  #accepted(queued: QueuedEntry, answer: Frame): void {
    const { messageId, recipients } = answer;
    if (answer.type !== "ack" || typeof messageId !== "string") {
      this.#failed(queued, new LocalError("bad_answer", "the broker answered in an unknown way"));
      return;
    }
    this.#inFlight.delete(queued.seq);
    this.#internalTries.delete(queued.seq);
    const count = typeof recipients === "number" ? recipients : 0;
    this.#settle(queued, { messageId, recipients: count });
    this.pump();
  }

  #settle(queued: QueuedEntry, committed: Committed): void {
    const { outbox, onChange } = this.#options;
    outbox.settle([queued.seq]).catch(() => {
      // The row stays and is sent again at the next start; the broker gives the same answer then.
    });
    this.#waiters.get(queued.id)?.resolve(committed);
    this.#waiters.delete(queued.id);
    onChange();
  }

  #failed(queued: QueuedEntry, error: unknown): void {
    this.#inFlight.delete(queued.seq);
    const nowMs = this.#options.clock.now();
    if (error instanceof MeshError) this.#refused(queued, error, nowMs);
    // Whether the broker has it is not known: it is sent again, and the broker knows it by its id.
    else if (!isOffline(error)) this.#pause(nowMs + PAUSE_MS);
    this.pump();
  }

  #refused(queued: QueuedEntry, error: MeshError, nowMs: number): void {
    const { code, data } = error;
    const afterMs = data.retry_after_ms ?? PAUSE_MS;
    if (code === "queue_full") {
      const untilMs = nowMs + (data.retry_after_ms ?? FULL_QUEUE_PAUSE_MS);
      this.#blocked.set(queued.target, untilMs);
      this.#wakeAt(untilMs);
    } else if (code === "stale_epoch") {
      this.#refreshFor(queued.target, nowMs);
    } else if (code === "internal" && this.#triesLeft(queued.seq)) {
      this.#pause(nowMs + afterMs);
    } else if (ERRORS[code].retry) {
      if (code === "rate_limited") this.#pace.drain(nowMs);
      this.#pause(nowMs + afterMs);
    } else {
      void this.#drop(queued, code, error);
    }
  }

  #refreshFor(target: string, nowMs: number): void {
    this.#blocked.set(target, nowMs + FULL_QUEUE_PAUSE_MS);
    this.#wakeAt(nowMs + FULL_QUEUE_PAUSE_MS);
    this.#options.refreshKeys().then(() => {
      this.#blocked.delete(target);
      this.pump();
    }, () => {
      // Not connected, or refused: the pause above ends and the next answer of the broker says more.
    });
  }

  #triesLeft(seq: number): boolean {
    const tries = (this.#internalTries.get(seq) ?? 0) + 1;
    this.#internalTries.set(seq, tries);
    return tries < INTERNAL_TRIES;
  }

  async #drop(queued: QueuedEntry, code: string, error: unknown): Promise<void> {
    const { outbox, onChange } = this.#options;
    const text = error instanceof Error ? error.message : "it cannot be sent";
    this.#internalTries.delete(queued.seq);
    const waiter = this.#waiters.get(queued.id);
    this.#waiters.delete(queued.id);
    try {
      await outbox.refuse(queued.seq, code, text);
    } catch {
      // The disk does not take the verdict: the next start asks the broker again and hears the same.
    }
    waiter?.reject(error);
    onChange();
  }

  #isBlocked(target: string, nowMs: number): boolean {
    const untilMs = this.#blocked.get(target);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.#blocked.delete(target);
    return false;
  }

  #pause(untilMs: number): void {
    this.#halted = true;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    this.#wakeAt(this.#pausedUntilMs);
  }

  #wakeAt(atMs: number): void {
    const { clock } = this.#options;
    if (this.#stopped) return;
    if (atMs >= this.#wakeAtMs && this.#wakeAtMs > clock.now()) return;
    this.#cancelWake();
    this.#wakeAtMs = atMs;
    this.#cancelWake = clock.after(Math.max(1, atMs - clock.now()), () => {
      this.#wakeAtMs = Infinity;
      this.pump();
    });
  }
}

function isOffline(error: unknown): boolean {
  return error instanceof LocalError && error.code === "offline";
}
