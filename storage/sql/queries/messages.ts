/**
 * The message log in SQL: see `message_store.ts` for what each query promises, and migration 0001
 * for the tables.
 */
import type { Sql, SqlStatement } from "../port.ts";
import { auditHead, hasAudit, insertAudits } from "./audit.ts";
import type {
  CommitBatch,
  CursorRow,
  MessageBody,
  MessageHead,
  MessageStore,
  ReceiptRowState,
  ReceiptState,
  SentMessage,
} from "./message_store.ts";
import { insertMessages, insertReceipts, insertSeen, writeCursors } from "./message_writes.ts";

/** The shortest text that is looked up as the beginning of an id. */
const ID_LENGTH = 32;

const HEAD_COLUMNS = `m.seq, m.id, m.mesh_id, m.sender_member_id, m.sender_session_pubkey,
  m.client_message_id, m.target_spec, m.priority, m.recipients, m.created_at, m.expires_at,
  octet_length(m.ciphertext) + octet_length(m.nonce) as size`;

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
  sender_member_id: string;
  sender_session_pubkey: string | null;
  client_message_id: string | null;
  target_spec: string;
  priority: MessageHead["priority"];
  recipients: number[];
  created_at: Date;
  expires_at: Date;
  size: number;
}

/** `MessageStore` over an `Sql`. */
export class SqlMessageStore implements MessageStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async commit(batch: CommitBatch): Promise<void> {
    const statements: SqlStatement[] = [...batch.statements];
    if (batch.messages.length > 0) statements.push(insertMessages(batch.messages));
    if (batch.cursors.length > 0) statements.push(writeCursors(batch.cursors));
    if (batch.receipts.length > 0) statements.push(insertReceipts(batch.receipts));
    if (batch.seen.length > 0) statements.push(insertSeen(batch.seen));
    if (batch.audits.length > 0) statements.push(insertAudits(batch.audits));
    if (statements.length > 0) await this.#sql.batch(statements);
  }

  async lastSeq(): Promise<number> {
    const [row] = await this.#sql.query<{ last: number }>(
      `select greatest(
        coalesce((select max(seq) from mesh.message_queue), 0),
        coalesce((select max(closed_through) from mesh.delivery), 0)) as last`,
    );
    return row?.last ?? 0;
  }

  async findSent(
    pairs: readonly { senderMemberId: string; clientMessageId: string }[],
  ): Promise<SentMessage[]> {
    const rows = await this.#sql.query<
      { id: string; sender_member_id: string; client_message_id: string; recipients: number }
    >(
      `select m.id, m.sender_member_id, m.client_message_id, cardinality(m.recipients) as recipients
      from unnest($1::text[], $2::text[]) as w (sender_id, client_id)
      join mesh.message_queue m
        on m.sender_member_id = w.sender_id and m.client_message_id = w.client_id`,
      [pairs.map((pair) => pair.senderMemberId), pairs.map((pair) => pair.clientMessageId)],
    );
    return rows.map((row) => ({
      senderMemberId: row.sender_member_id,
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
      `select ${HEAD_COLUMNS} from mesh.message_queue m
      where m.mesh_id = $1 and m.seq >= $2 and ${IS_OPEN} order by m.seq limit $3`,
      [meshId, fromSeq, limit],
    );
    return rows.map(headOf);
  }

  async bodies(meshId: string, seqs: readonly number[]): Promise<MessageBody[]> {
    const rows = await this.#sql.query<{
      seq: number;
      nonce: string;
      ciphertext: string;
      body_version: number;
      epoch: number | null;
      reply_to_id: string | null;
      subtype: string | null;
      request_fingerprint: string | null;
    }>(
      `select seq, nonce, ciphertext, body_version, epoch, reply_to_id, subtype, request_fingerprint
      from mesh.message_queue where mesh_id = $1 and seq = any ($2::int8[])`,
      [meshId, seqs],
    );
    return rows.map((row) => ({
      seq: row.seq,
      nonce: row.nonce,
      ciphertext: row.ciphertext,
      bodyVersion: row.body_version,
      epoch: row.epoch,
      replyToId: row.reply_to_id,
      subtype: row.subtype,
      requestFingerprint: row.request_fingerprint,
    }));
  }

  async findOwn(meshId: string, senderMemberId: string, prefix: string): Promise<MessageHead[]> {
    // Whole ids have an index; a beginning is looked for among the sender's own messages.
    const byId = prefix.length >= ID_LENGTH ? "m.id = $3" : "starts_with(m.id, $3)";
    const rows = await this.#sql.query<StoredHead>(
      `select ${HEAD_COLUMNS} from mesh.message_queue m
      where m.mesh_id = $1 and m.sender_member_id = $2 and (${byId} or m.client_message_id = $3)
      order by m.seq limit 2`,
      [meshId, senderMemberId, prefix],
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
    if (row !== undefined && row.looked === limit) return row.last;
    await this.#sql.query(
      `delete from mesh.receipt r where r.at < $1
        and not exists (select 1 from mesh.message_queue m where m.seq = any (r.seqs))`,
      [new Date(beforeMs)],
    );
    return null;
  }
}

function headOf(row: StoredHead): MessageHead {
  return {
    seq: row.seq,
    id: row.id,
    meshId: row.mesh_id,
    senderMemberId: row.sender_member_id,
    senderSessionPubkey: row.sender_session_pubkey,
    clientMessageId: row.client_message_id,
    targetSpec: row.target_spec,
    priority: row.priority,
    recipients: row.recipients,
    createdAtMs: row.created_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    size: row.size,
  };
}
