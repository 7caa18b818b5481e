/**
 * Messages that arrived, on disk before they are acknowledged (CONTRACTS 3.4): dropped when they came before, kept aside
 * while their key is missing, kept with the reason when they are not to be believed.
 */
import type { Priority } from "../../broker/api/fields.ts";
import type { InboxMessage } from "./mesh_peer_api.ts";
import { type OpenStore, openStore, type SqlRow, type StoreFile } from "./store_file.ts";

/** A message as it was opened, about to be written. */
export interface ArrivedMessage {
  readonly messageId: string;
  readonly clientMessageId: string | null;
  /** What tells a repeated message from a new one of the same sender; null as long as nothing is proved. */
  readonly identity: string | null;
  readonly senderKey: string;
  readonly senderSessionKey: string | null;
  readonly senderMemberId: string;
  readonly senderName: string;
  readonly target: string;
  readonly priority: Priority;
  readonly type: string;
  readonly body: string | null;
  readonly replyTo: string | null;
  readonly sentAtMs: number;
  readonly verification: "signed" | "boxed" | "none";
  readonly state: "ok" | "pending_key" | "rejected";
  readonly reason: string | null;
  /** The frame of a message whose key is missing, to be opened later. */
  readonly frame: string | null;
}

const SCHEMA = `
create table message (
  seq integer primary key autoincrement,
  message_id text not null unique,
  client_message_id text,
  identity text,
  sender_key text not null,
  sender_session_key text,
  sender_member_id text not null,
  sender_name text not null,
  target text not null,
  priority text not null,
  type text not null,
  body text,
  reply_to text,
  sent_at integer not null,
  received_at integer not null,
  verification text not null,
  state text not null,
  reason text,
  frame text,
  seen_at integer,
  seen_reported integer not null default 0
) strict;
create unique index message_identity on message (sender_key, identity) where identity is not null;
create index message_unseen on message (seq) where seen_at is null;
create index message_pending on message (seq) where state = 'pending_key';
create index message_unreported on message (seq) where seen_at is not null and seen_reported = 0;
create index message_received on message (received_at)`;

const INSERT = `insert into message
  (message_id, client_message_id, identity, sender_key, sender_session_key, sender_member_id,
   sender_name, target, priority, type, body, reply_to, sent_at, received_at, verification, state,
   reason, frame)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`;
/** Longer than any message lives at a broker, so that a repeat is known as one. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

export class Inbox {
  readonly #store: StoreFile;
  readonly #mesh: { readonly meshId: string; readonly slug: string };
  readonly #now: () => number;

  /** Opens the file in `folder`. Throws LocalError `store_broken`. */
  constructor(
    folder: string,
    mesh: { readonly meshId: string; readonly slug: string },
    now: () => number,
    open: OpenStore = openStore,
  ) {
    this.#mesh = mesh;
    this.#now = now;
    this.#store = open({
      path: `${folder}/inbox.db`,
      name: "inbox",
      schema: SCHEMA,
      version: 1,
      tables: ["message"],
      now,
    });
  }

  get problems(): string[] {
    return this.#store.problems;
  }

  /**
   * Writes messages in one transaction and returns those that are new, in order; the others had come before. All of
   * them may be acknowledged then. Throws LocalError `disk_full` or `store_broken`, and nothing is written.
   */
  receive(messages: readonly ArrivedMessage[]): InboxMessage[] {
    const receivedAtMs = this.#now();
    return this.#store.transaction(() => {
      const fresh: InboxMessage[] = [];
      for (const message of messages) {
        const seq = this.#insert(message, receivedAtMs);
        if (seq !== 0) fresh.push(this.#shown(seq, message, receivedAtMs));
      }
      return fresh;
    });
  }

  /** Whether the broker's message id is in the inbox already. */
  has(messageId: string): boolean {
    return this.#store.first("select 1 from message where message_id = ?", messageId) !== undefined;
  }

  /** Messages that wait for a key: position and the frame as it came. */
  pending(): { seq: number; frame: string }[] {
    return this.#store.all(
      "select seq, frame from message where state = 'pending_key' order by seq",
    )
      .map((row) => ({ seq: Number(row.seq), frame: String(row.frame) }));
  }

  /** Puts an opened message in the place of the one that waited; null when it turned out to be a repeat. */
  replacePending(seq: number, message: ArrivedMessage): InboxMessage | null {
    return this.#store.transaction(() => {
      this.#store.run("delete from message where seq = ?", seq);
      const receivedAtMs = this.#now();
      const added = this.#insert(message, receivedAtMs);
      return added === 0 ? null : this.#shown(added, message, receivedAtMs);
    });
  }

  /** The position of the newest message, 0 when there is none. */
  lastSeq(): number {
    return Number(this.#store.first("select max(seq) as seq from message")?.seq ?? 0);
  }

  /**
   * Readable messages that nobody has seen, or that came after `afterSeq`, oldest first, at most `limit`, from
   * `fromSeq` on.
   */
  readable(afterSeq: number, fromSeq: number, limit: number): InboxMessage[] {
    // Two indexed parts: a single "or" would walk the whole table.
    const rows = this.#store.all(
      `select * from (
         select * from message where seen_at is null and seq >= ?1 and seq <= ?2 and state != 'pending_key'
         union all
         select * from message where seq > ?2 and seq >= ?1 and state != 'pending_key'
       ) order by seq limit ?3`,
      fromSeq,
      afterSeq,
      limit,
    );
    return rows.map((row) => this.#messageOf(row));
  }

  /** The newest messages of any state, oldest first. */
  list(options: { limit: number; sinceMs: number; unseenOnly: boolean }): InboxMessage[] {
    const rows = this.#store.all(
      `select * from message where received_at >= ? ${
        options.unseenOnly ? "and seen_at is null" : ""
      }
       order by seq desc limit ?`,
      options.sinceMs,
      options.limit,
    );
    return rows.reverse().map((row) => this.#messageOf(row));
  }

  /** How many messages nobody has seen. */
  unseenCount(): number {
    return Number(
      this.#store.first("select count(*) as n from message where seen_at is null")?.n,
    );
  }

  /** Marks messages as seen, durably; returns how many were not before. Throws LocalError. */
  markSeen(messageIds: readonly string[]): number {
    const nowMs = this.#now();
    return this.#store.transaction(() => {
      let count = 0;
      for (const id of messageIds) {
        count += this.#store.run(
          "update message set seen_at = ? where message_id = ? and seen_at is null",
          nowMs,
          id,
        );
      }
      return count;
    });
  }

  /** Broker ids of messages that were seen but not reported so, at most `limit`. */
  unreported(limit: number): string[] {
    return this.#store.all(
      "select message_id from message where seen_at is not null and seen_reported = 0 order by seq limit ?",
      limit,
    ).map((row) => String(row.message_id));
  }

  /** Remembers that the broker has taken the report. */
  markReported(messageIds: readonly string[]): void {
    this.#store.transaction(() => {
      for (const id of messageIds) {
        this.#store.run("update message set seen_reported = 1 where message_id = ?", id);
      }
    });
  }

  /** Deletes messages that are older than 30 days and were seen; unseen ones stay. Returns how many. */
  sweep(): number {
    return this.#store.transaction(() =>
      this.#store.run(
        "delete from message where received_at < ? and seen_at is not null",
        this.#now() - KEPT_MS,
      )
    );
  }

  close(): void {
    this.#store.close();
  }

  /** The new position, 0 for a repeat. */
  #insert(message: ArrivedMessage, receivedAtMs: number): number {
    return this.#store.insert(
      INSERT,
      message.messageId,
      message.clientMessageId,
      message.identity,
      message.senderKey,
      message.senderSessionKey,
      message.senderMemberId,
      message.senderName,
      message.target,
      message.priority,
      message.type,
      message.body,
      message.replyTo,
      message.sentAtMs,
      receivedAtMs,
      message.verification,
      message.state,
      message.reason,
      message.frame,
    );
  }

  #shown(seq: number, message: ArrivedMessage, receivedAtMs: number): InboxMessage {
    const { identity: _identity, frame: _frame, ...rest } = message;
    const { meshId, slug: meshSlug } = this.#mesh;
    const kind = kindOf(message.target);
    return { ...rest, seq, meshId, meshSlug, kind, receivedAtMs, seenAtMs: null };
  }

  #messageOf(row: SqlRow): InboxMessage {
    const target = String(row.target);
    return {
      seq: Number(row.seq),
      messageId: String(row.message_id),
      clientMessageId: row.client_message_id as string | null,
      meshId: this.#mesh.meshId,
      meshSlug: this.#mesh.slug,
      senderKey: String(row.sender_key),
      senderSessionKey: row.sender_session_key as string | null,
      senderMemberId: String(row.sender_member_id),
      senderName: String(row.sender_name),
      target,
      kind: kindOf(target),
      priority: row.priority as Priority,
      type: String(row.type),
      body: row.body as string | null,
      replyTo: row.reply_to as string | null,
      sentAtMs: Number(row.sent_at),
      receivedAtMs: Number(row.received_at),
      verification: row.verification as InboxMessage["verification"],
      state: row.state as InboxMessage["state"],
      reason: row.reason as string | null,
      seenAtMs: row.seen_at as number | null,
    };
  }
}

/** Whom a target addresses. */
export function kindOf(target: string): InboxMessage["kind"] {
  if (target === "*" || target.toLowerCase() === "@all") return "broadcast";
  return target.startsWith("@") ? "group" : "direct";
}
