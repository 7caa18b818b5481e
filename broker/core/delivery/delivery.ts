/**
 * Delivery (CONTRACTS 3): a message that was acknowledged to its sender reaches every recipient's
 * inbox, once in effect and in order. This is its face; each part stands in a file of its own.
 */
import type * as z from "zod";
import type { MessageStore } from "../../../storage/sql/queries/message_store.ts";
import type { Limits } from "../../api/limits.ts";
import type { messaging, SendInput } from "../../api/messaging.ts";
import type { Clock } from "../clock.ts";
import type { Ledger } from "../ledger.ts";
import type { Metrics } from "../metrics.ts";
import type { Connection, Member, Mesh } from "../model.ts";
import { storeError } from "../store_error.ts";
import { isActive } from "../targets.ts";
import { ackedIds, type AckInput } from "./acked_ids.ts";
import { Closings } from "./closings.ts";
import { Deadlines } from "./deadlines.ts";
import { loadMail } from "./loading.ts";
import type { Mailbox } from "./mailbox.ts";
import { Mailroom, type MeshMail } from "./mailroom.ts";
import type { OpenMessage } from "./open_message.ts";
import { PayloadCache } from "./payload_cache.ts";
import { PayloadLoader } from "./payload_loader.ts";
import { PushTurns } from "./push_turns.ts";
import { Pusher } from "./pusher.ts";
import { messageStatus, type StatusOutput } from "./receipts.ts";
import type { SentAnswer } from "./sent_index.ts";
import { type Reminder, reminderPost } from "./reminder.ts";
import { Submitter } from "./submitter.ts";
import { Sweeper } from "./sweeper.ts";

const PAYLOAD_CACHE_BYTES = 64 * 1_048_576;

export type SendOutput = z.input<typeof messaging.send.output>;
export type SeenInput = z.output<typeof messaging.clientSeen.input>;

export interface DeliveryParts {
  readonly store: MessageStore;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly metrics: Pick<
    Metrics,
    "messagesRouted" | "deliveriesAcked" | "droppedByGrant" | "queueDepth"
  >;
  /** Gets failures that nobody waits for; they go to the log. */
  readonly onError: (error: unknown) => void;
  /** Bytes of message text kept in memory for the whole broker; 64 MiB unless told. */
  readonly payloadCacheBytes?: number;
}

/** The messages of all meshes of a broker. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #mailroom = new Mailroom();
  readonly #cache: PayloadCache;
  readonly #closings: Closings;
  readonly #submitter: Submitter;
  readonly #pusher: Pusher;
  readonly #loader: PayloadLoader;
  readonly #deadlines: Deadlines;
  readonly #turns: PushTurns;
  readonly #sweeper: Sweeper;
  #lastCommittedSeq: number;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    const { store, ledger, clock, limits, metrics, onError } = parts;
    const { ackDeadlineMs, holdMs } = limits;
    this.#lastCommittedSeq = ledger.lastSeq;
    this.#cache = new PayloadCache(parts.payloadCacheBytes ?? PAYLOAD_CACHE_BYTES);
    this.#closings = new Closings({ ledger, clock, ended: (message) => this.#ended(message) });
    this.#deadlines = new Deadlines({
      clock,
      ackDeadlineMs,
      holdMs,
      drain: (mailbox) => this.#guard(() => this.#pusher.drain(mailbox)),
    });
    this.#loader = new PayloadLoader({
      store,
      clock,
      cache: this.#cache,
      onError,
      pump: (mailbox) => this.#guard(() => this.#pusher.pump(mailbox)),
      lost: (message) => this.#giveUp(message),
    });
    this.#pusher = new Pusher({
      clock,
      closings: this.#closings,
      metrics,
      requestPayloads: (mailbox) => this.#loader.request(mailbox),
      watch: (mailbox, dueMs) => this.#deadlines.watch(mailbox, dueMs),
      ackDeadlineMs,
      holdMs,
    });
    this.#turns = new PushTurns({
      clock,
      pump: (mailbox) => this.#guard(() => this.#pusher.pump(mailbox)),
      done: () => this.#pusher.endTurn(),
    });
    this.#submitter = new Submitter({
      ...parts,
      deliver: (mail, message, frame) => this.#deliver(mail, message, frame),
    });
    this.#sweeper = new Sweeper({ ...parts, mailroom: this.#mailroom, closings: this.#closings });
  }

  /**
   * Takes a message. Everything up to its place in the log happens before this returns, so calls in
   * order are delivered in order.
   * @returns the answer for the sender, once the message is on disk.
   * @throws {MeshError} (as a rejection) `not_found`, `ambiguous_target`, `invalid_argument`,
   * `too_large`, `stale_epoch`, `queue_full`: nothing is stored; `unavailable`, `storage_full`: try
   * again with the same client_message_id.
   */
  send(connection: Connection, input: SendInput): Promise<SendOutput> {
    const answer = ({ messageId, recipients }: SentAnswer) => ({
      id: input.id ?? "",
      messageId,
      queued: true,
      recipients,
    });
    const mail = this.#mailroom.of(connection.mesh);
    if (!mail.loaded) {
      return this.load(connection.mesh)
        .then(() => this.#submitter.submit(mail, connection, input)).then(answer);
    }
    try {
      return this.#submitter.submit(mail, connection, input).then(answer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes a reminder: what the broker sends in a member's name, in plain text. The statements that come with it are
   * committed together with the message, or neither is.
   * @returns "repeated" when the message was sent before; the statements are not written then.
   * @throws {MeshError} as `send`.
   */
  async remind(reminder: Reminder): Promise<"stored" | "repeated"> {
    const mail = this.#mailroom.of(reminder.sender.mesh);
    if (!mail.loaded) await this.load(mail.mesh);
    const { origin, input, extra } = reminderPost(reminder);
    const answer = await this.#submitter.post(mail, origin, input, extra);
    return answer.repeated ? "repeated" : "stored";
  }

  /** Closes deliveries of the connection's member; returns how many were open. */
  ack(connection: Connection, input: AckInput): number {
    const mailbox = this.#mailbox(connection.member);
    let closed = 0;
    for (const id of ackedIds(mailbox, input)) {
      const delivery = mailbox.open.get(id);
      if (delivery === undefined) continue;
      this.#closings.close(mailbox, delivery, "received");
      closed++;
    }
    if (closed > 0) {
      this.#parts.metrics.deliveriesAcked.inc(closed);
      this.#pusher.pump(mailbox);
    }
    return closed;
  }

  /**
   * Notes messages that were put before the model or the human; those that were never sent to the
   * member do not count.
   */
  seen(connection: Connection, input: SeenInput): number {
    const ids = new Set(input.brokerMessageIds);
    this.#closings.seen(connection.member, [...ids]);
    return ids.size;
  }

  /**
   * Tells where a message of `member` is.
   * @param id its id or the beginning of it, or its client_message_id.
   * @throws {MeshError} `not_found` or `ambiguous_prefix`.
   */
  async status(member: Member, id: string): Promise<StatusOutput> {
    const { store, ledger, clock } = this.#parts;
    await this.load(member.mesh);
    try {
      await this.#closings.flush();
      const mail = this.#mailroom.of(member.mesh);
      const seq = ledger.ids.seqOf(id);
      return await messageStatus(mail, store, { member, id, seq, nowMs: clock.now() });
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * Looks at a member's mail again: after a connect, a status change, any change of its sessions.
   */
  drain(member: Member): void {
    const mail = this.#mailroom.of(member.mesh);
    // A mesh that is being loaded is drained as a whole at the end.
    if (mail.loaded) this.#pusher.drain(mail.mailbox(member));
    else this.load(member.mesh).catch(this.#parts.onError);
  }

  /**
   * What was on its way to this connection is pushed again, elsewhere or when its member is back.
   */
  connectionClosed(connection: Connection): void {
    const mailbox = this.#mailbox(connection.member);
    if (mailbox.outlet === connection) mailbox.outlet = null;
    if (mailbox.recall(({ outlet }) => outlet === connection)) this.#pusher.drain(mailbox);
  }

  /**
   * Reads the open deliveries of a mesh, once.
   * @throws {MeshError} `unavailable` when the store does not answer; the next call tries again.
   */
  load(mesh: Mesh): Promise<void> {
    const mail = this.#mailroom.of(mesh);
    if (mail.loaded) return Promise.resolve();
    mail.loading ??= this.#load(mail);
    return mail.loading;
  }

  /** Closes everything that is open for a member; to be called when it is marked as gone. */
  async memberRemoved(member: Member): Promise<void> {
    await this.load(member.mesh);
    const mailbox = this.#mailbox(member);
    for (const delivery of [...mailbox.open.values()]) {
      this.#closings.close(mailbox, delivery, "expired");
    }
    await this.#closings.flush();
  }

  /** Open deliveries of a member, those being committed included. */
  openCount(member: Member): number {
    return this.#mailbox(member).load.count;
  }

  /**
   * Expires and purges what is old; to be called every minute or so. Re-push and holds keep their
   * own time.
   */
  async sweep(): Promise<void> {
    this.#parts.metrics.queueDepth.set(this.#sweeper.openDeliveries());
    for (const mail of this.#mailroom.all()) {
      if (!mail.loaded) await this.load(mail.mesh);
    }
    await this.#sweeper.sweep(this.#lastCommittedSeq);
  }

  /**
   * Resolves when everything accepted is committed and all acks are stored.
   * @throws {MeshError} when the store does not take them.
   */
  async flush(): Promise<void> {
    await this.#parts.ledger.idle();
    await this.#closings.flush();
  }

  /** Cancels its timers. */
  close(): void {
    this.#turns.stop();
    this.#deadlines.stop();
    this.#loader.close();
    this.#closings.stop();
  }

  async #load(mail: MeshMail): Promise<void> {
    try {
      await loadMail(mail, this.#parts.store, this.#closings);
      mail.loaded = true;
    } catch (error) {
      mail.mailboxes.clear();
      mail.open.clear();
      throw storeError(error);
    } finally {
      mail.loading = null;
    }
    for (const mailbox of mail.mailboxes.values()) {
      this.#guard(() => this.#pusher.drain(mailbox));
    }
  }

  #mailbox(member: Member): Mailbox {
    return this.#mailroom.of(member.mesh).mailbox(member);
  }

  /**
   * A message is on disk: puts it in its recipients' mailboxes, which are pushed when the whole
   * commit is through.
   */
  #deliver(mail: MeshMail, message: OpenMessage, frame: string): void {
    this.#lastCommittedSeq = Math.max(this.#lastCommittedSeq, message.seq);
    this.#parts.metrics.messagesRouted.inc({ priority: message.priority });
    for (const member of message.recipients) {
      if (!isActive(member)) continue;
      const mailbox = mail.mailbox(member);
      mailbox.add(message);
      this.#turns.touch(mailbox);
    }
    if (message.openCount === 0) return;
    mail.open.set(message.seq, message);
    this.#cache.put(message, frame);
  }

  /** One mailbox's trouble must not keep others waiting. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  #ended(message: OpenMessage): void {
    this.#cache.drop(message);
    this.#mailroom.of(message.sender.mesh).open.delete(message.seq);
  }

  /** The store has lost a message: its deliveries can only end. */
  #giveUp(message: OpenMessage): void {
    this.#parts.onError(new Error(`message ${message.id} is gone from the store`));
    for (const member of message.recipients) {
      const mailbox = this.#mailbox(member);
      const delivery = mailbox.open.get(message.id);
      if (delivery !== undefined) this.#closings.close(mailbox, delivery, "expired");
    }
  }
}
