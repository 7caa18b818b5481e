/**
 * The statements that a commit of messages, positions and receipts is made of. Each takes any
 * number of rows at once.
 */
import type { SqlStatement } from "../port.ts";
import { packMessages, type PlacedMessage } from "./message_page.ts";
import type { CursorRow, MessageRow, ReceiptRow, SeenReport } from "./message_store.ts";
import { rowInsert, timeOfMs } from "./row_insert.ts";

const insertPlaced = rowInsert<PlacedMessage>("mesh.message_queue", [
  { name: "seq", type: "int8", value: ({ row }) => row.seq },
  { name: "page", type: "int8", value: ({ page }) => page },
  { name: "created_at", type: "int8", value: ({ row }) => row.createdAtMs, stored: timeOfMs },
  { name: "expires_at", type: "int8", value: ({ row }) => row.expiresAtMs, stored: timeOfMs },
  { name: "place", type: "int4", value: ({ place }) => place },
  { name: "head_bytes", type: "int4", value: ({ headBytes }) => headBytes },
  { name: "body_bytes", type: "int4", value: ({ bodyBytes }) => bodyBytes },
  { name: "sender_number", type: "int4", value: ({ row }) => row.senderNumber },
  { name: "id", type: "text", value: ({ row }) => row.id },
  { name: "mesh_id", type: "text", value: ({ row }) => row.meshId },
  { name: "client_message_id", type: "text", value: ({ row }) => row.clientMessageId },
  {
    name: "recipients",
    type: "text",
    value: ({ row }) => numbersText(row.recipients),
    stored: (text) => `${text}::int4[]`,
  },
]);

/** Returns the statements that append messages, at least one and in order, to the log. */
export function insertMessages(rows: readonly MessageRow[]): SqlStatement[] {
  const { firstSeq, texts, placed } = packMessages(rows);
  return [
    {
      text: "insert into mesh.message_page (first_seq, last_seq, texts) values ($1, $2, $3)",
      params: [firstSeq, rows.at(-1)?.seq, texts],
    },
    insertPlaced(placed),
  ];
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

/** Returns the statement that stores receipts, at least one. */
export const insertReceipts = rowInsert<ReceiptRow>("mesh.receipt", [
  { name: "mesh_id", type: "text", value: ({ meshId }) => meshId },
  { name: "member_number", type: "int4", value: ({ memberNumber }) => memberNumber },
  { name: "state", type: "text", value: ({ state }) => state },
  { name: "first_seq", type: "int8", value: ({ seqs }) => seqs[0] },
  { name: "last_seq", type: "int8", value: ({ seqs }) => seqs.at(-1) },
  {
    name: "seqs",
    type: "text",
    value: ({ seqs }) => numbersText(seqs),
    stored: (text) => `${text}::int8[]`,
  },
  { name: "at", type: "int8", value: ({ atMs }) => atMs, stored: timeOfMs },
]);

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
