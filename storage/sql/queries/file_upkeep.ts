/**
 * Files whose time is over, over all meshes: what the job that cleans up reads and writes.
 */
import type { SqlExecutor } from "../port.ts";

/** A row whose object is to go. */
export interface DoomedFile {
  readonly id: string;
  readonly meshId: string;
  readonly key: string;
  readonly ref: string;
}

const COLUMNS = `id, mesh_id as "meshId", minio_key as "key", upload_ref as "ref"`;

/** Shared files that have expired, and uploads that nobody touched since `untouchedSinceMs`; at most `limit`. */
export async function overdueFiles(
  executor: SqlExecutor,
  { nowMs, untouchedSinceMs, limit }: { nowMs: number; untouchedSinceMs: number; limit: number },
): Promise<(DoomedFile & { state: "shared" | "uploading" })[]> {
  return await executor.query(
    `select ${COLUMNS}, state from mesh.file
      where (state = 'shared' and expires_at <= $1) or (state = 'uploading' and touched_at <= $2)
      order by id limit $3`,
    [new Date(nowMs), new Date(untouchedSinceMs), limit],
  );
}

/** Files that are deleted, their objects perhaps not yet; at most `limit`. */
export async function deletedFiles(executor: SqlExecutor, limit: number): Promise<DoomedFile[]> {
  return await executor.query<DoomedFile>(
    `select ${COLUMNS} from mesh.file where state = 'deleted' order by deleted_at, id limit $1`,
    [limit],
  );
}

/** Forgets a deleted file whose object is gone. */
export async function forgetFile(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
): Promise<void> {
  await executor.query(
    `delete from mesh.file where mesh_id = $1 and id = $2 and state = 'deleted'`,
    [meshId, fileId],
  );
}

/** Which of `fileIds` this mesh has rows of, in any state. */
export async function knownFiles(
  executor: SqlExecutor,
  meshId: string,
  fileIds: readonly string[],
): Promise<Set<string>> {
  const rows = await executor.query<{ id: string }>(
    `select id from mesh.file where mesh_id = $1 and id = any ($2::text[])`,
    [meshId, fileIds],
  );
  return new Set(rows.map(({ id }) => id));
}

/** The ids of all meshes. */
export async function allMeshIds(executor: SqlExecutor): Promise<string[]> {
  const rows = await executor.query<{ id: string }>(`select id from mesh.mesh order by id`);
  return rows.map(({ id }) => id);
}

/** Forgets fetches beyond the `keep` newest of each file. */
export async function trimAccesses(executor: SqlExecutor, keep: number): Promise<void> {
  await executor.query(
    `delete from mesh.file_access where id in (
       select id from (
         select id, row_number() over (partition by file_id order by accessed_at desc, id) as place
         from mesh.file_access
       ) as ranked where place > $1)`,
    [keep],
  );
}
