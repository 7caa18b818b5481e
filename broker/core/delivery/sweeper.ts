/**
 * What delivery does now and then: messages expire, closed ones are purged, idle members' positions
 * follow the log.
 */
import type { MessageStore } from "../../../storage/sql/queries/message_store.ts";
import type { Limits } from "../../api/limits.ts";
import type { Clock } from "../clock.ts";
import type { Closings } from "./closings.ts";
import type { Mailroom, MeshMail } from "./mailroom.ts";

const PURGE_EVERY_MS = 600_000;
const PURGE_PAGE = 1_000;
/**
 * How far a member's position may lag behind the log: so much a restart may have to look through.
 */
const MAX_LAG = 10_000;

export interface SweeperParts {
  readonly store: MessageStore;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "receiptLifeMs">;
  readonly mailroom: Mailroom;
  readonly closings: Closings;
}

export class Sweeper {
  readonly #parts: SweeperParts;
  #purgedAtMs = -Infinity;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  /** Deliveries that are open now. */
  openDeliveries(): number {
    let count = 0;
    for (const mail of this.#parts.mailroom.all()) {
      for (const mailbox of mail.mailboxes.values()) count += mailbox.open.size;
    }
    return count;
  }

  /**
   * Does what is due.
   * @param lastCommittedSeq the end of the log; nothing at or before it is still being written.
   */
  async sweep(lastCommittedSeq: number): Promise<void> {
    const { mailroom, clock } = this.#parts;
    const nowMs = clock.now();
    for (const mail of mailroom.all()) {
      if (!mail.loaded) continue;
      this.#expire(mail, nowMs);
      this.#catchUp(mail, lastCommittedSeq);
    }
    if (nowMs - this.#purgedAtMs < PURGE_EVERY_MS) return;
    this.#purgedAtMs = nowMs;
    await this.#purge(nowMs);
  }

  /** Messages live equally long, so the oldest expire first. */
  #expire(mail: MeshMail, nowMs: number): void {
    for (const message of mail.open.values()) {
      if (message.expiresAtMs > nowMs) return;
      for (const member of message.recipients) {
        const mailbox = mail.mailbox(member);
        const delivery = mailbox.open.get(message.id);
        if (delivery !== undefined) this.#parts.closings.close(mailbox, delivery, "expired");
      }
    }
  }

  /** Members that get nothing would else make a restart look through the whole log for them. */
  #catchUp(mail: MeshMail, lastCommittedSeq: number): void {
    for (const member of mail.mesh.membersById.values()) {
      const mailbox = mail.mailbox(member);
      if (mailbox.open.size > 0 || mailbox.closedThrough + MAX_LAG > lastCommittedSeq) continue;
      mailbox.closedThrough = lastCommittedSeq;
      this.#parts.closings.moved(mailbox);
    }
  }

  async #purge(nowMs: number): Promise<void> {
    const { store, limits } = this.#parts;
    let after: number | null = 0;
    while (after !== null) {
      after = await store.purge(nowMs - limits.receiptLifeMs, after, PURGE_PAGE);
    }
  }
}
