/**
 * The message log in SQL: see `message_store.ts` for what each query promises, and migration 0001
 * for the tables.
 */
import { type Sql, SqlError, type SqlStatement } from "../port.ts";
import { auditHead, hasAudit, insertAudits } from "./audit.ts";
import { unpackBody, unpackHead } from "./message_page.ts";
import type {
  CommitBatch,
  CursorRow,
  MessageBody,
  MessageHead,
  MessageStore,
  ReceiptRowState,
  ReceiptState,
  SentKey,
  SentMessage,
  WantedMessage,
} from "./message_store.ts";
import { insertMessages, insertReceipts, insertSeen, writeCursors } from "./message_writes.ts";

const HEAD = "convert_from(substr(p.texts, m.place + 1, m.head_bytes), 'UTF8') as head";
const BODY =
  "convert_from(substr(p.texts, m.place + m.head_bytes + 1, m.body_bytes), 'UTF8') as body";

const HEAD_COLUMNS = `m.seq, m.id, m.mesh_id, m.sender_number, m.client_message_id, m.recipients,
  m.created_at, m.expires_at, ${HEAD}`;

const WITH_PAGES = "mesh.message_queue m join mesh.message_page p on p.first_seq = m.page";

/** True for a message `m` that is open for one of its recipients. */
const IS_OPEN = `exists (
  select 1 from unnest(m.recipients) as r (number)
  left join mesh.delivery d on d.member_number = r.number
  where r.number > 0
    and (d.member_number is null or m.seq > d.closed_through or m.seq = any (d.open_below)))`;

interface StoredHead {
  seq: number;
  id: string;
  mesh_id: string;
  sender_number: number;
  client_message_id: string | null;
  recipients: number[];
  created_at: Date;
  expires_at: Date;
  head: string;
}

/** `MessageStore` over an `Sql`. */
export class SqlMessageStore implements MessageStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async commit(batch: CommitBatch, behind = false): Promise<void> {
    const statements: SqlStatement[] = [...batch.statements];
    if (batch.messages.length > 0) statements.push(...insertMessages(batch.messages));
    if (batch.cursors.length > 0) statements.push(writeCursors(batch.cursors));
    if (batch.receipts.length > 0) statements.push(insertReceipts(batch.receipts));
    if (batch.seen.length > 0) statements.push(insertSeen(batch.seen));
    if (batch.audits.length > 0) statements.push(insertAudits(batch.audits));
    if (statements.length > 0) await this.#sql.batchInLine(statements, behind);
  }

  async lastSeq(): Promise<number> {
    const [row] = await this.#sql.query<{ last: number }>(
      `select greatest(
        coalesce((select max(seq) from mesh.message_queue), 0),
        coalesce((select max(closed_through) from mesh.delivery), 0)) as last`,
    );
    return row?.last ?? 0;
  }

  async messageIdKey(): Promise<Uint8Array> {
    await this.#sql.query("insert into mesh.message_id_key default values on conflict do nothing");
    const [row] = await this.#sql.query<{ key: Uint8Array }>("select key from mesh.message_id_key");
    if (row === undefined) throw new SqlError("other", "the store has no key of message ids");
    return row.key;
  }

  async findSent(pairs: readonly SentKey[]): Promise<SentMessage[]> {
    const rows = await this.#sql.query<
      { id: string; sender_number: number; client_message_id: string; recipients: number }
    >(
      `select m.id, m.sender_number, m.client_message_id, cardinality(m.recipients) as recipients
      from unnest($1::int4[], $2::text[]) as w (sender, client_id)
      join mesh.message_queue m
        on m.sender_number = w.sender and m.client_message_id = w.client_id`,
      [pairs.map((pair) => pair.senderNumber), pairs.map((pair) => pair.clientMessageId)],
    );
    return rows.map((row) => ({
      senderNumber: row.sender_number,
      clientMessageId: row.client_message_id,
      id: row.id,
      recipients: row.recipients,
    }));
  }

  hasAudit(meshId: string, hash: string): Promise<boolean> {
    return hasAudit(this.#sql, meshId, hash);
  }

  auditHead(meshId: string): Promise<string | null> {
    return auditHead(this.#sql, meshId);
  }

  async cursors(meshId: string): Promise<CursorRow[]> {
    const rows = await this.#sql.query<
      { member_number: number; closed_through: number; open_below: number[] }
    >(
      "select member_number, closed_through, open_below from mesh.delivery where mesh_id = $1",
      [meshId],
    );
    return rows.map((row) => ({
      meshId,
      memberNumber: row.member_number,
      closedThrough: row.closed_through,
      openBelow: row.open_below,
    }));
  }

  async openMessages(meshId: string, fromSeq: number, limit: number): Promise<MessageHead[]> {
    const rows = await this.#sql.query<StoredHead>(
      `select ${HEAD_COLUMNS} from ${WITH_PAGES}
      where m.mesh_id = $1 and m.seq >= $2 and ${IS_OPEN} order by m.seq limit $3`,
      [meshId, fromSeq, limit],
    );
    return rows.map(headOf);
  }

  async bodies(meshId: string, seqs: readonly number[]): Promise<MessageBody[]> {
    const rows = await this.#sql.query<{ seq: number; head: string; body: string }>(
      `select m.seq, ${HEAD}, ${BODY} from ${WITH_PAGES}
      where m.mesh_id = $1 and m.seq = any ($2::int8[])`,
      [meshId, seqs],
    );
    return rows.map(({ seq, head, body }) => unpackBody(seq, head, body));
  }

  async findOwn(
    meshId: string,
    senderNumber: number,
    { seq, text }: WantedMessage,
  ): Promise<MessageHead[]> {
    const rows = await this.#sql.query<StoredHead>(
      `select ${HEAD_COLUMNS} from ${WITH_PAGES}
      where m.mesh_id = $1 and m.sender_number = $2
        and ((m.seq = $3::int8 and starts_with(m.id, $4)) or m.client_message_id = $4)
      order by m.seq`,
      [meshId, senderNumber, seq, text],
    );
    return rows.map(headOf);
  }

  async receiptsOf(
    meshId: string,
    seq: number,
    memberNumbers: readonly number[],
  ): Promise<ReceiptState[]> {
    const rows = await this.#sql.query<
      { member_number: number; state: ReceiptRowState; at: Date }
    >(
      `select member_number, state, min(at) as at from mesh.receipt
      where mesh_id = $1 and member_number = any ($3::int4[]) and first_seq <= $2 and last_seq >= $2
        and $2 = any (seqs)
      group by member_number, state`,
      [meshId, seq, memberNumbers],
    );
    return rows.map((row) => ({
      memberNumber: row.member_number,
      state: row.state,
      atMs: row.at.getTime(),
    }));
  }

  async purge(beforeMs: number, afterSeq: number, limit: number): Promise<number | null> {
    const [row] = await this.#sql.query<{ looked: number; last: number | null }>(
      `with old as (
        select m.seq, m.recipients, m.expires_at from mesh.message_queue m
        where m.seq > $2 and m.created_at < $1 order by m.seq limit $3
      ), recent as (
        select distinct s.seq from mesh.receipt r, unnest(r.seqs) as s (seq)
        where r.at >= $1 and r.first_seq <= (select max(seq) from old)
          and r.last_seq >= (select min(seq) from old)
      ), gone as (
        delete from mesh.message_queue where seq in (
          select m.seq from old m
          where m.seq not in (select seq from recent) and not ${IS_OPEN}
            and (m.expires_at < $1 or not 0 > any (m.recipients)))
      )
      select count(*)::int4 as looked, max(seq) as last from old`,
      [new Date(beforeMs), afterSeq, limit],
    );
    await this.#dropEmptyPages(afterSeq, row?.last ?? afterSeq);
    if (row !== undefined && row.looked === limit) return row.last;
    await this.#sql.query(
      `delete from mesh.receipt r where r.at < $1
        and not exists (select 1 from mesh.message_queue m where m.seq = any (r.seqs))`,
      [new Date(beforeMs)],
    );
    return null;
  }

  /** Removes pages of the given part of the log none of whose messages is left. */
  async #dropEmptyPages(afterSeq: number, lastSeq: number): Promise<void> {
    await this.#sql.query(
      `delete from mesh.message_page p where p.first_seq <= $2 and p.last_seq > $1
        and not exists (
          select 1 from mesh.message_queue m where m.seq between p.first_seq and p.last_seq)`,
      [afterSeq, lastSeq],
    );
  }
}

function headOf(row: StoredHead): MessageHead {
  return {
    seq: row.seq,
    id: row.id,
    meshId: row.mesh_id,
    senderNumber: row.sender_number,
    clientMessageId: row.client_message_id,
    recipients: row.recipients,
    createdAtMs: row.created_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    ...unpackHead(row.head),
  };
}
