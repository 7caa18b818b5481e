/**
 * Queries of what sessions say they work on, one row per session.
 */
import type { SqlExecutor } from "../port.ts";

/** What a session has shared. */
export interface ContextRow {
  readonly id: string;
  readonly memberId: string;
  readonly sessionId: string;
  readonly peerName: string;
  readonly summary: string;
  readonly filesRead: readonly string[];
  readonly keyFindings: readonly string[];
  readonly tags: readonly string[];
  readonly updatedAt: Date;
}

const COLUMNS = `id, member_id as "memberId", session_id as "sessionId", peer_name as "peerName",
  summary, files_read as "filesRead", key_findings as "keyFindings", tags,
  updated_at as "updatedAt"`;

/** Stores what a session works on, in the place of what it said before. Returns the row's id. */
export async function upsertContext(
  sql: SqlExecutor,
  meshId: string,
  row: ContextRow,
): Promise<string> {
  const [stored] = await sql.query<{ id: string }>(
    `insert into mesh.context (id, mesh_id, member_id, session_id, peer_name, summary, files_read,
       key_findings, tags, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7::text[], $8::text[], $9::text[], $10)
     on conflict (member_id, session_id) do update set peer_name = excluded.peer_name,
       summary = excluded.summary, files_read = excluded.files_read,
       key_findings = excluded.key_findings, tags = excluded.tags,
       updated_at = excluded.updated_at
     returning id`,
    [
      row.id,
      meshId,
      row.memberId,
      row.sessionId,
      row.peerName,
      row.summary,
      row.filesRead,
      row.keyFindings,
      row.tags,
      row.updatedAt,
    ],
  );
  return stored!.id;
}

/** Keeps the `keep` newest contexts of a member. */
export async function trimContexts(
  sql: SqlExecutor,
  meshId: string,
  memberId: string,
  keep: number,
): Promise<void> {
  await sql.query(
    `delete from mesh.context where mesh_id = $1 and id in (
       select id from mesh.context where member_id = $2 order by updated_at desc, id offset $3)`,
    [meshId, memberId, keep],
  );
}

/**
 * Reads contexts, newest first, but those of the members `hidden`; with `text` those in whose summary, tags, findings or
 * paths it occurs.
 */
export async function selectContexts(
  sql: SqlExecutor,
  meshId: string,
  { text, hidden, limit, offset }: {
    readonly text: string | null;
    readonly hidden: readonly string[];
    readonly limit: number;
    readonly offset: number;
  },
): Promise<ContextRow[]> {
  return await sql.query<ContextRow>(
    `select ${COLUMNS} from mesh.context
     where mesh_id = $1 and member_id <> all ($5::text[]) and ($2::text is null or strpos(lower(summary), lower($2)) > 0
       or exists (select from unnest(tags || key_findings || files_read) as part (words)
         where strpos(lower(part.words), lower($2)) > 0))
     order by updated_at desc, id limit $3 offset $4`,
    [meshId, text, limit, offset, hidden],
  );
}
