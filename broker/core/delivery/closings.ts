/**
 * Closed deliveries on their way to the store: positions and receipts are gathered for a moment and
 * written together. Until then a crash loses them, and the deliveries are pushed again, which
 * agents drop.
 */
import type {
  CursorRow,
  ReceiptRow,
  SeenReport,
} from "../../../storage/sql/queries/message_store.ts";
import type { MeshError } from "../../api/errors.ts";
import type { CancelTimer, Clock } from "../clock.ts";
import type { ClosingJob, Ledger } from "../ledger.ts";
import type { Member } from "../model.ts";
import type { Mailbox } from "./mailbox.ts";
import type { OpenDelivery, OpenMessage } from "./open_message.ts";

const GATHER_MS = 50;
const RETRY_MS = 1_000;

export interface ClosingsParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Hears of messages that are closed for everybody. */
  readonly ended: (message: OpenMessage) => void;
}

export class Closings {
  readonly #parts: ClosingsParts;
  #dirty = new Set<Mailbox>();
  #seen: SeenReport[] = [];
  #cancelTimer: CancelTimer | null = null;
  #writing: Promise<MeshError | null> | null = null;

  constructor(parts: ClosingsParts) {
    this.#parts = parts;
  }

  /** Closes a delivery; `how` is its receipt, null when it ends without one. */
  close(mailbox: Mailbox, delivery: OpenDelivery, how: "received" | "expired" | null): void {
    mailbox.close(delivery);
    if (how === "received") mailbox.received.push(delivery.message.seq);
    else if (how === "expired") mailbox.expired.push(delivery.message.seq);
    this.moved(mailbox);
    if (delivery.message.openCount === 0) this.#parts.ended(delivery.message);
  }

  /** Notes that a mailbox's position must be written. */
  moved(mailbox: Mailbox): void {
    this.#dirty.add(mailbox);
    this.#arm(GATHER_MS);
  }

  /** Notes messages that a member saw. */
  seen(member: Member, messageIds: readonly string[]): void {
    const atMs = this.#parts.clock.now();
    const { number: memberNumber, mesh } = member;
    const { ids } = this.#parts.ledger;
    for (const messageId of messageIds) {
      const seq = ids.seqOf(messageId);
      if (seq !== null) {
        this.#seen.push({ meshId: mesh.id, memberNumber, messageId, seq, atMs });
      }
    }
    this.#arm(GATHER_MS);
  }

  /**
   * Writes everything gathered so far.
   * @throws {MeshError} when the store does not take it; it stays gathered and is tried again.
   */
  async flush(): Promise<void> {
    // What is being written may have been taken before the last acks; what follows it is not.
    await this.#writing;
    if (this.#writing === null && this.#dirty.size === 0 && this.#seen.length === 0) return;
    const error = await (this.#writing ?? this.#write());
    if (error !== null) throw error;
  }

  /** Cancels its timer. */
  stop(): void {
    this.#cancelTimer?.();
  }

  #arm(delayMs: number): void {
    if (this.#cancelTimer !== null || this.#writing !== null) return;
    this.#cancelTimer = this.#parts.clock.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#write();
    });
  }

  /** Puts one job in the ledger's line; resolves to what it failed with. */
  #write(): Promise<MeshError | null> {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const mailboxes = [...this.#dirty];
    const seen = this.#seen;
    this.#dirty = new Set();
    this.#seen = [];
    const taken = takeRows(mailboxes, this.#parts.clock.now());
    const writing = new Promise<MeshError | null>((resolve) => {
      const done = (error: MeshError | null) => {
        this.#writing = null;
        if (error !== null) this.#giveBack(taken, seen);
        if (this.#dirty.size > 0 || this.#seen.length > 0) {
          this.#arm(error === null ? GATHER_MS : RETRY_MS);
        }
        resolve(error);
      };
      this.#parts.ledger.enqueue({
        kind: "closing",
        cursors: taken.cursors,
        receipts: taken.receipts,
        seen,
        committed: () => done(null),
        failed: done,
      });
    });
    this.#writing = writing;
    return writing;
  }

  #giveBack(taken: TakenRows, seen: readonly SeenReport[]): void {
    this.#seen = [...seen, ...this.#seen];
    for (const { mailbox, received, expired } of taken.lists) {
      mailbox.received = [...received, ...mailbox.received];
      mailbox.expired = [...expired, ...mailbox.expired];
      this.#dirty.add(mailbox);
    }
  }
}

interface TakenRows extends Pick<ClosingJob, "cursors" | "receipts"> {
  readonly lists: readonly {
    readonly mailbox: Mailbox;
    readonly received: readonly number[];
    readonly expired: readonly number[];
  }[];
}

/** Takes what the mailboxes have to write. */
function takeRows(mailboxes: readonly Mailbox[], atMs: number): TakenRows {
  const cursors: CursorRow[] = [];
  const receipts: ReceiptRow[] = [];
  const lists: { mailbox: Mailbox; received: number[]; expired: number[] }[] = [];
  for (const mailbox of mailboxes) {
    const { received, expired, member: { number: memberNumber, mesh } } = mailbox;
    lists.push({ mailbox, received, expired });
    mailbox.received = [];
    mailbox.expired = [];
    cursors.push({
      meshId: mesh.id,
      memberNumber,
      closedThrough: mailbox.closedThrough,
      openBelow: mailbox.openBelow(),
    });
    for (const [state, seqs] of [["received", received], ["expired", expired]] as const) {
      if (seqs.length === 0) continue;
      receipts.push({ meshId: mesh.id, memberNumber, state, seqs: ascending(seqs), atMs });
    }
  }
  return { cursors, receipts, lists };
}

/** Acks mostly come in order already. */
function ascending(seqs: readonly number[]): readonly number[] {
  for (let index = 1; index < seqs.length; index++) {
    if ((seqs[index] ?? 0) < (seqs[index - 1] ?? 0)) {
      return [...seqs].sort((one, other) => one - other);
    }
  }
  return seqs;
}
