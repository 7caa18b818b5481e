/**
 * The statements that a commit of messages, positions and receipts is made of. Each takes any
 * number of rows at once: the rows travel as one array per column.
 */
import type { SqlStatement } from "../port.ts";
import { packMessages } from "./message_page.ts";
import type { CursorRow, MessageRow, ReceiptRow, SeenReport } from "./message_store.ts";

/** Returns the statements that append messages, at least one and in order, to the log. */
export function insertMessages(rows: readonly MessageRow[]): SqlStatement[] {
  const page = packMessages(rows);
  const firstSeq = rows[0]?.seq;
  return [{
    text: "insert into mesh.message_page (first_seq, last_seq, texts) values ($1, $2, $3)",
    params: [firstSeq, rows.at(-1)?.seq, page.texts],
  }, {
    text: `insert into mesh.message_queue (seq, page, created_at, expires_at, place, head_bytes,
      body_bytes, sender_number, id, mesh_id, client_message_id, recipients)
    select w.seq, $1,
      'epoch'::timestamptz + w.created_ms * interval '1 millisecond',
      'epoch'::timestamptz + w.expires_ms * interval '1 millisecond',
      w.place, w.head_bytes, w.body_bytes, w.sender, w.id, w.mesh_id, w.client_id,
      w.recipients::int4[]
    from unnest($2::int8[], $3::int8[], $4::int8[], $5::int4[], $6::int4[], $7::int4[], $8::int4[],
      $9::text[], $10::text[], $11::text[], $12::text[])
      as w (seq, created_ms, expires_ms, place, head_bytes, body_bytes, sender, id, mesh_id,
        client_id, recipients)`,
    params: [
      firstSeq,
      rows.map((row) => row.seq),
      rows.map((row) => row.createdAtMs),
      rows.map((row) => row.expiresAtMs),
      page.places,
      page.headBytes,
      page.bodyBytes,
      rows.map((row) => row.senderNumber),
      rows.map((row) => row.id),
      rows.map((row) => row.meshId),
      rows.map((row) => row.clientMessageId),
      rows.map((row) => numbersText(row.recipients)),
    ],
  }];
}

/** Returns the statement that moves members' positions; each member at most once. */
export function writeCursors(rows: readonly CursorRow[]): SqlStatement {
  return {
    text: `insert into mesh.delivery (mesh_id, member_number, closed_through, open_below)
    select w.mesh_id, w.number, w.through, w.below::int8[]
    from unnest($1::text[], $2::int4[], $3::int8[], $4::text[])
      as w (mesh_id, number, through, below)
    on conflict (member_number) do update
    set closed_through = excluded.closed_through, open_below = excluded.open_below`,
    params: [
      rows.map((row) => row.meshId),
      rows.map((row) => row.memberNumber),
      rows.map((row) => row.closedThrough),
      rows.map((row) => numbersText(row.openBelow)),
    ],
  };
}

/** Returns the statement that stores receipts. */
export function insertReceipts(rows: readonly ReceiptRow[]): SqlStatement {
  return {
    text: `insert into mesh.receipt (mesh_id, member_number, state, first_seq, last_seq, seqs, at)
    select w.mesh_id, w.number, w.state, w.first_seq, w.last_seq, w.seqs::int8[],
      'epoch'::timestamptz + w.at_ms * interval '1 millisecond'
    from unnest($1::text[], $2::int4[], $3::text[], $4::int8[], $5::int8[], $6::text[], $7::int8[])
      as w (mesh_id, number, state, first_seq, last_seq, seqs, at_ms)`,
    params: [
      rows.map((row) => row.meshId),
      rows.map((row) => row.memberNumber),
      rows.map((row) => row.state),
      rows.map((row) => row.seqs[0]),
      rows.map((row) => row.seqs.at(-1)),
      rows.map((row) => numbersText(row.seqs)),
      rows.map((row) => row.atMs),
    ],
  };
}

/**
 * Returns the statement that stores `seen` receipts of messages addressed to the reporter, once
 * each.
 */
export function insertSeen(reports: readonly SeenReport[]): SqlStatement {
  return {
    text: `insert into mesh.receipt (mesh_id, member_number, state, first_seq, last_seq, seqs, at)
    select m.mesh_id, w.number, 'seen', min(m.seq), max(m.seq),
      array_agg(distinct m.seq order by m.seq),
      'epoch'::timestamptz + max(w.at_ms) * interval '1 millisecond'
    from unnest($1::text[], $2::int4[], $3::text[], $4::int8[], $5::int8[])
      as w (mesh_id, number, id, seq, at_ms)
    join mesh.message_queue m on m.seq = w.seq and m.id = w.id and m.mesh_id = w.mesh_id
      and w.number = any (m.recipients)
    where not exists (
      select 1 from mesh.receipt r
      where r.member_number = w.number and r.state = 'seen' and r.first_seq <= m.seq
        and r.last_seq >= m.seq and m.seq = any (r.seqs))
    group by m.mesh_id, w.number`,
    params: [
      reports.map((report) => report.meshId),
      reports.map((report) => report.memberNumber),
      reports.map((report) => report.messageId),
      reports.map((report) => report.seq),
      reports.map((report) => report.atMs),
    ],
  };
}

/** Arrays inside rows travel as text: unnest would flatten an array of arrays. */
function numbersText(numbers: readonly number[]): string {
  return `{${numbers.join(",")}}`;
}
