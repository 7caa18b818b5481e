/**
 * Messages on their way to a broker, on disk before anything is sent (CONTRACTS 3). Rows leave it when the broker has
 * committed them; those it refuses for good stay with their error until somebody dismisses them.
 */
import type { Priority } from "../../broker/api/fields.ts";
import { GroupCommit } from "./group_commit.ts";
import { LocalError } from "./local_error.ts";
import type { OutboxMessage } from "./mesh_peer_api.ts";
import { type OpenStore, openStore, type SqlRow, type StoreFile } from "./store_file.ts";

/** A message to be sent. Direct messages are sealed already, the others carry their text until they are sent. */
export interface OutboxEntry {
  /** `client_message_id`, and the signed id. */
  readonly id: string;
  /** The frame's `targetSpec`. */
  readonly target: string;
  readonly priority: Priority;
  readonly type: string;
  readonly replyTo: string | null;
  readonly sessionId: string | null;
  readonly createdAtMs: number;
  readonly content:
    | {
      readonly kind: "sealed";
      readonly bodyVersion: 1 | 2;
      readonly nonce: string;
      readonly ciphertext: string;
    }
    | { readonly kind: "text"; readonly body: string };
}

/** What the order of sending needs of a waiting message. */
export interface QueuedEntry {
  readonly seq: number;
  readonly id: string;
  readonly target: string;
  readonly sessionId: string | null;
}

const SCHEMA = `
create table message (
  seq integer primary key autoincrement,
  id text not null unique,
  target text not null,
  priority text not null,
  type text not null,
  reply_to text,
  session_id text,
  body_version integer,
  nonce text,
  ciphertext text,
  body text,
  state text not null default 'queued',
  error_code text,
  error text,
  created_at integer not null
) strict`;

const INSERT = `insert into message
  (id, target, priority, type, reply_to, session_id, body_version, nonce, ciphertext, body, created_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
/** So many messages wait at most; a broker that is away for long does not fill the disk. */
const MAX_QUEUED = 50_000;

export class Outbox {
  readonly #store: StoreFile;
  readonly #commits: GroupCommit;
  /** Waiting messages in the order of sending. */
  #queue: QueuedEntry[] = [];

  /** Opens the file in `folder`. Throws LocalError `store_broken`. */
  constructor(folder: string, now: () => number, open: OpenStore = openStore) {
    this.#store = open({
      path: `${folder}/outbox.db`,
      name: "outbox",
      schema: SCHEMA,
      version: 1,
      tables: ["message"],
      now,
    });
    this.#commits = new GroupCommit(this.#store);
    const rows = this.#store.all(
      "select seq, id, target, session_id from message where state = 'queued' order by seq",
    );
    this.#queue = rows.map(queuedOf);
  }

  get problems(): string[] {
    return this.#store.problems;
  }

  /** Waiting messages in the order of sending. */
  get queue(): readonly QueuedEntry[] {
    return this.#queue;
  }

  /** Resolves when the message is on disk and in the queue. Rejects with LocalError `disk_full`, `store_broken`. */
  async add(entry: OutboxEntry): Promise<void> {
    if (this.#queue.length >= MAX_QUEUED) {
      throw new LocalError("disk_full", `${MAX_QUEUED} messages wait for the broker already`, {
        hint: "wait until the broker is back",
      });
    }
    const { content } = entry;
    const sealed = content.kind === "sealed" ? content : null;
    let seq = 0;
    await this.#commits.add(() => {
      seq = this.#store.insert(
        INSERT,
        entry.id,
        entry.target,
        entry.priority,
        entry.type,
        entry.replyTo,
        entry.sessionId,
        sealed?.bodyVersion ?? null,
        sealed?.nonce ?? null,
        sealed?.ciphertext ?? null,
        content.kind === "text" ? content.body : null,
        entry.createdAtMs,
      );
    });
    const { id, target, sessionId } = entry;
    this.#queue.push({ seq, id, target, sessionId });
  }

  /** Reads a waiting message; null when it is gone. Throws LocalError `store_broken`. */
  read(seq: number): OutboxEntry | null {
    const row = this.#store.first("select * from message where seq = ?", seq);
    return row === undefined ? null : entryOf(row);
  }

  /**
   * Takes messages that the broker has committed out of the outbox. Losing this in a crash only repeats the send, which
   * the broker answers with its first answer.
   */
  async settle(seqs: readonly number[]): Promise<void> {
    this.#forget(new Set(seqs));
    await this.#commits.add(() => {
      for (const seq of seqs) this.#store.run("delete from message where seq = ?", seq);
    });
  }

  /** Keeps a message that the broker refused for good, with the reason. */
  async refuse(seq: number, code: string, error: string): Promise<void> {
    this.#forget(new Set([seq]));
    await this.#commits.add(() => {
      this.#store.run(
        "update message set state = 'refused', error_code = ?, error = ? where seq = ?",
        code,
        error,
        seq,
      );
    });
  }

  /** What waits or was refused, oldest first. */
  list(): OutboxMessage[] {
    return this.#store.all(
      "select id, target, priority, state, created_at, error_code, error from message order by seq",
    ).map((row) => ({
      clientMessageId: String(row.id),
      target: String(row.target),
      priority: row.priority as Priority,
      state: row.state as "queued" | "refused",
      createdAtMs: Number(row.created_at),
      errorCode: row.error_code as string | null,
      error: row.error as string | null,
    }));
  }

  /** How many messages were refused for good and not dismissed. */
  refusedCount(): number {
    const row = this.#store.first("select count(*) as n from message where state = 'refused'");
    return Number(row?.n);
  }

  /** Deletes refused messages, all of them without ids; returns how many. */
  dismiss(ids?: readonly string[]): number {
    return this.#store.transaction(() => {
      if (ids === undefined) return this.#store.run("delete from message where state = 'refused'");
      let count = 0;
      for (const id of ids) {
        count += this.#store.run("delete from message where state = 'refused' and id = ?", id);
      }
      return count;
    });
  }

  /** Commits what waits and closes the file. */
  close(): void {
    this.#commits.flush();
    this.#store.close();
  }

  #forget(seqs: ReadonlySet<number>): void {
    const first = this.#queue[0];
    if (seqs.size === 1 && first !== undefined && seqs.has(first.seq)) this.#queue.shift();
    else this.#queue = this.#queue.filter((entry) => !seqs.has(entry.seq));
  }
}

function queuedOf(row: SqlRow): QueuedEntry {
  return {
    seq: Number(row.seq),
    id: String(row.id),
    target: String(row.target),
    sessionId: row.session_id as string | null,
  };
}

function entryOf(row: SqlRow): OutboxEntry {
  const { nonce, ciphertext, body } = row;
  return {
    id: String(row.id),
    target: String(row.target),
    priority: row.priority as Priority,
    type: String(row.type),
    replyTo: row.reply_to as string | null,
    sessionId: row.session_id as string | null,
    createdAtMs: Number(row.created_at),
    content: typeof nonce === "string" && typeof ciphertext === "string"
      ? { kind: "sealed", bodyVersion: row.body_version === 1 ? 1 : 2, nonce, ciphertext }
      : { kind: "text", body: String(body) },
  };
}
