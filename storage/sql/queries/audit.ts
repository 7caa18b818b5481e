/**
 * Queries of the audit log, a hash chain per mesh (reference protocol 9.12). Rows are written only
 * by the ledger, in the transaction of what they report.
 */
import type { SqlExecutor } from "../port.ts";
import type { AuditRow } from "./message_store.ts";
import { rowInsert, timeOfMs } from "./row_insert.ts";

/** Returns the statement that appends rows, at least one, which must be in the order of their chains. */
export const insertAudits = rowInsert<AuditRow>("mesh.audit_log", [
  { name: "mesh_id", type: "text", value: ({ meshId }) => meshId },
  { name: "event_type", type: "text", value: ({ eventType }) => eventType },
  { name: "actor_member_id", type: "text", value: ({ actorMemberId }) => actorMemberId },
  { name: "actor_display_name", type: "text", value: ({ actorDisplayName }) => actorDisplayName },
  {
    name: "payload",
    type: "text",
    value: ({ payload }) => JSON.stringify(payload),
    stored: (text) => `${text}::jsonb`,
  },
  { name: "prev_hash", type: "text", value: ({ prevHash }) => prevHash },
  { name: "hash", type: "text", value: ({ hash }) => hash },
  { name: "created_at", type: "int8", value: ({ createdAtMs }) => createdAtMs, stored: timeOfMs },
]);

/** Returns the newest hash of a mesh's chain, null for none. */
export async function auditHead(sql: SqlExecutor, meshId: string): Promise<string | null> {
  const [row] = await sql.query<{ hash: string }>(
    "select hash from mesh.audit_log where mesh_id = $1 order by id desc limit 1",
    [meshId],
  );
  return row?.hash ?? null;
}

/** Returns whether the chain of a mesh holds a row with this hash. */
export async function hasAudit(sql: SqlExecutor, meshId: string, hash: string): Promise<boolean> {
  const rows = await sql.query(
    "select 1 as found from mesh.audit_log where mesh_id = $1 and hash = $2",
    [meshId, hash],
  );
  return rows.length > 0;
}

/** Rows of one kind are looked for among the newest alone: there is no index that finds them. */
const NEWEST = `select * from mesh.audit_log where mesh_id = $1 order by id desc limit 20000`;

const COLUMNS = `id, event_type, actor_member_id, actor_display_name, payload, prev_hash, hash,
  created_at`;

/** A row as it is read, with its id. */
export type AuditEntryRow = AuditRow & { readonly id: number };

/**
 * Reads a mesh's chain in order.
 * @param afterId the row id to go on after, 0 at first.
 * @returns at most `limit` rows.
 */
export async function auditRows(
  sql: SqlExecutor,
  meshId: string,
  afterId: number,
  limit: number,
): Promise<AuditEntryRow[]> {
  const rows = await sql.query<StoredAudit>(
    `select ${COLUMNS} from mesh.audit_log where mesh_id = $1 and id > $2 order by id limit $3`,
    [meshId, afterId, limit],
  );
  return rows.map((row) => entryOf(meshId, row));
}

/** Reads a page of a mesh's log, newest first. */
export async function auditPage(
  sql: SqlExecutor,
  meshId: string,
  { eventType, limit, offset }: { eventType: string | null; limit: number; offset: number },
): Promise<AuditEntryRow[]> {
  const rows = await sql.query<StoredAudit>(
    `select ${COLUMNS} from (${NEWEST}) as newest
     where $2::text is null or event_type = $2 order by id desc limit $3 offset $4`,
    [meshId, eventType, limit, offset],
  );
  return rows.map((row) => entryOf(meshId, row));
}

/** Counts the rows of a kind, or all, up to `most`. */
export async function countAudits(
  sql: SqlExecutor,
  meshId: string,
  eventType: string | null,
  most: number,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) as count from (select from (${NEWEST}) as newest
       where $2::text is null or event_type = $2 limit $3) as found`,
    [meshId, eventType, most],
  );
  return row?.count ?? 0;
}

interface StoredAudit {
  readonly id: number;
  readonly event_type: string;
  readonly actor_member_id: string | null;
  readonly actor_display_name: string | null;
  readonly payload: object;
  readonly prev_hash: string;
  readonly hash: string;
  readonly created_at: Date;
}

function entryOf(meshId: string, row: StoredAudit): AuditEntryRow {
  return {
    id: row.id,
    meshId,
    eventType: row.event_type,
    actorMemberId: row.actor_member_id,
    actorDisplayName: row.actor_display_name,
    payload: row.payload,
    prevHash: row.prev_hash,
    hash: row.hash,
    createdAtMs: row.created_at.getTime(),
  };
}
