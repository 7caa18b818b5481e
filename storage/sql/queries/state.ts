/**
 * Queries of the shared key-value state of a mesh.
 */
import type { SqlExecutor } from "../port.ts";

/** A key as it is stored. */
export interface StateRow {
  readonly key: string;
  readonly value: unknown;
  readonly revision: number;
  readonly ownerMemberId: string;
  readonly updatedByMemberId: string;
  readonly updatedByName: string;
  readonly updatedAt: Date;
}

const COLUMNS = `key, value, revision, owner_member_id as "ownerMemberId",
  updated_by_member_id as "updatedByMemberId", updated_by_name as "updatedByName",
  updated_at as "updatedAt"`;

/** Reads one key, null when it is not set. */
export async function selectState(
  sql: SqlExecutor,
  meshId: string,
  key: string,
): Promise<StateRow | null> {
  const [row] = await sql.query<StateRow>(
    `select ${COLUMNS} from mesh.state where mesh_id = $1 and key = $2`,
    [meshId, key],
  );
  return row ?? null;
}

/** Reads up to `limit` keys that begin with `prefix` and come after `after`, in byte order. */
export async function selectStates(
  sql: SqlExecutor,
  meshId: string,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
): Promise<StateRow[]> {
  return await sql.query<StateRow>(
    `select ${COLUMNS} from mesh.state
     where mesh_id = $1 and key > $2 and key >= $3 and starts_with(key, $3)
     order by key limit $4`,
    [meshId, after, prefix, limit],
  );
}

/** Counts the keys of a mesh. */
export async function countStates(sql: SqlExecutor, meshId: string): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    "select count(*) as count from mesh.state where mesh_id = $1",
    [meshId],
  );
  return row?.count ?? 0;
}

/** What is written under a key. */
export interface StateWrite {
  readonly key: string;
  readonly value: unknown;
  readonly memberId: string;
  readonly memberName: string;
  readonly atMs: number;
}

/** Sets a key; the first to set it owns it. Returns the row as it is now. */
export async function upsertState(
  sql: SqlExecutor,
  meshId: string,
  write: StateWrite,
): Promise<StateRow> {
  const [row] = await sql.query<StateRow>(
    `insert into mesh.state (mesh_id, key, value, owner_member_id, updated_by_member_id,
       updated_by_name, updated_at)
     values ($1, $2, $3::jsonb, $4, $4, $5, $6)
     on conflict (mesh_id, key) do update set value = excluded.value,
       revision = nextval('mesh.state_revision'),
       updated_by_member_id = excluded.updated_by_member_id,
       updated_by_name = excluded.updated_by_name, updated_at = excluded.updated_at
     returning ${COLUMNS}`,
    [
      meshId,
      write.key,
      JSON.stringify(write.value),
      write.memberId,
      write.memberName,
      new Date(write.atMs),
    ],
  );
  return row!;
}

/** Deletes a key. */
export async function deleteState(sql: SqlExecutor, meshId: string, key: string): Promise<void> {
  await sql.query("delete from mesh.state where mesh_id = $1 and key = $2", [meshId, key]);
}
