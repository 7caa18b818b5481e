/**
 * `MessageStore` in memory, for simulations: what the SQL one does, as plainly as it can be said.
 */
import { SqlError } from "../../storage/sql/port.ts";
import type {
  AuditRow,
  CommitBatch,
  CursorRow,
  MessageBody,
  MessageHead,
  MessageRow,
  MessageStore,
  ReceiptRow,
  ReceiptState,
  SeenReport,
  SentKey,
  SentMessage,
  WantedMessage,
} from "../../storage/sql/queries/message_store.ts";

export class MemoryMessageStore implements MessageStore {
  /** By place in the log. */
  readonly messages = new Map<number, MessageRow>();
  readonly cursorRows = new Map<number, CursorRow>();
  receipts: ReceiptRow[] = [];
  readonly audits: AuditRow[] = [];
  readonly #sent = new Map<string, MessageRow>();

  // deno-lint-ignore require-await -- a store answers later
  async commit(batch: CommitBatch): Promise<void> {
    for (const row of batch.messages) {
      if (this.messages.has(row.seq) || this.#sent.has(sentKey(row))) {
        throw new SqlError("conflict", "duplicate key", "23505");
      }
    }
    for (const row of batch.messages) {
      this.messages.set(row.seq, row);
      if (row.clientMessageId !== null) this.#sent.set(sentKey(row), row);
    }
    for (const row of batch.cursors) this.cursorRows.set(row.memberNumber, row);
    this.receipts.push(...batch.receipts);
    for (const report of batch.seen) this.#see(report.memberNumber, report);
    this.audits.push(...batch.audits);
  }

  #see(memberNumber: number, report: SeenReport): void {
    const message = this.messages.get(report.seq);
    if (message?.id !== report.messageId || message.meshId !== report.meshId) return;
    if (!message.recipients.includes(memberNumber)) return;
    const { seq } = message;
    const known = this.receipts.some((row) =>
      row.memberNumber === memberNumber && row.state === "seen" && row.seqs.includes(seq)
    );
    if (known) return;
    const { meshId, atMs } = report;
    this.receipts.push({ meshId, memberNumber, state: "seen", seqs: [seq], atMs });
  }

  lastSeq(): Promise<number> {
    const closed = [...this.cursorRows.values()].map((row) => row.closedThrough);
    return Promise.resolve(Math.max(0, ...closed, ...this.messages.keys()));
  }

  /** As good as any. */
  messageIdKey(): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.from({ length: 16 }, (_, index) => index));
  }

  findSent(pairs: readonly SentKey[]): Promise<SentMessage[]> {
    const found: SentMessage[] = [];
    for (const pair of pairs) {
      const row = this.#sent.get(sentKey(pair));
      if (row === undefined) continue;
      found.push({ ...pair, id: row.id, recipients: row.recipients.length });
    }
    return Promise.resolve(found);
  }

  hasAudit(meshId: string, hash: string): Promise<boolean> {
    return Promise.resolve(
      this.audits.some((row) => row.meshId === meshId && row.hash === hash),
    );
  }

  auditHead(meshId: string): Promise<string | null> {
    const last = this.audits.findLast((row) => row.meshId === meshId);
    return Promise.resolve(last?.hash ?? null);
  }

  cursors(meshId: string): Promise<CursorRow[]> {
    const rows = [...this.cursorRows.values()].filter((row) => row.meshId === meshId);
    return Promise.resolve(rows);
  }

  openMessages(meshId: string, fromSeq: number, limit: number): Promise<MessageHead[]> {
    const rows = this.#inOrder().filter((row) =>
      row.meshId === meshId && row.seq >= fromSeq && this.#isOpen(row)
    );
    return Promise.resolve(rows.slice(0, limit).map(headOf));
  }

  bodies(meshId: string, seqs: readonly number[]): Promise<MessageBody[]> {
    const rows = seqs.map((seq) => this.messages.get(seq));
    return Promise.resolve(
      rows.filter((row): row is MessageRow => row?.meshId === meshId).map(bodyOf),
    );
  }

  findOwn(
    meshId: string,
    senderNumber: number,
    { seq, text }: WantedMessage,
  ): Promise<MessageHead[]> {
    const rows = this.#inOrder().filter((row) =>
      row.meshId === meshId && row.senderNumber === senderNumber &&
      (row.seq === seq && row.id.startsWith(text) || row.clientMessageId === text)
    );
    return Promise.resolve(rows.map(headOf));
  }

  receiptsOf(
    meshId: string,
    seq: number,
    memberNumbers: readonly number[],
  ): Promise<ReceiptState[]> {
    const firsts = new Map<string, ReceiptState>();
    for (const row of this.receipts) {
      const { memberNumber, state, atMs } = row;
      if (row.meshId !== meshId || !row.seqs.includes(seq)) continue;
      if (!memberNumbers.includes(memberNumber)) continue;
      const known = firsts.get(`${memberNumber} ${state}`);
      if (known !== undefined && known.atMs <= atMs) continue;
      firsts.set(`${memberNumber} ${state}`, { memberNumber, state, atMs });
    }
    return Promise.resolve([...firsts.values()]);
  }

  purge(beforeMs: number, afterSeq: number, limit: number): Promise<number | null> {
    const old = this.#inOrder()
      .filter((row) => row.seq > afterSeq && row.createdAtMs < beforeMs).slice(0, limit);
    for (const row of old) if (this.#mayGo(row, beforeMs)) this.#delete(row);
    const last = old.at(-1);
    if (last !== undefined && old.length === limit) return Promise.resolve(last.seq);
    this.receipts = this.receipts.filter((row) =>
      row.atMs >= beforeMs || row.seqs.some((seq) => this.messages.has(seq))
    );
    return Promise.resolve(null);
  }

  #mayGo(row: MessageRow, beforeMs: number): boolean {
    if (this.#isOpen(row)) return false;
    if (row.expiresAtMs >= beforeMs && row.recipients.some((number) => number < 0)) return false;
    return !this.receipts.some(({ atMs, seqs }) => atMs >= beforeMs && seqs.includes(row.seq));
  }

  #delete(row: MessageRow): void {
    this.messages.delete(row.seq);
    this.#sent.delete(sentKey(row));
  }

  #inOrder(): MessageRow[] {
    return [...this.messages.values()].sort((one, other) => one.seq - other.seq);
  }

  #isOpen({ seq, recipients }: MessageRow): boolean {
    return recipients.some((number) => {
      if (number < 0) return false;
      const cursor = this.cursorRows.get(number);
      return cursor === undefined || seq > cursor.closedThrough || cursor.openBelow.includes(seq);
    });
  }
}

function sentKey(row: { senderNumber: number; clientMessageId: string | null }): string {
  return `${row.senderNumber} ${row.clientMessageId}`;
}

function headOf(row: MessageRow): MessageHead {
  const { nonce, ciphertext, ...rest } = row;
  const {
    bodyVersion: _bodyVersion,
    epoch: _epoch,
    replyToId: _replyToId,
    subtype: _subtype,
    requestFingerprint: _requestFingerprint,
    ...head
  } = rest;
  return { ...head, size: ciphertext.length + nonce.length };
}

function bodyOf(row: MessageRow): MessageBody {
  const { seq, nonce, ciphertext, bodyVersion, epoch, replyToId, subtype, requestFingerprint } =
    row;
  return { seq, nonce, ciphertext, bodyVersion, epoch, replyToId, subtype, requestFingerprint };
}
