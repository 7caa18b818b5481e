/**
 * Uploads: rows of `mesh.file` that are not shared yet, what a mesh's files take up, and the step from one to the
 * other.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** An upload of one member's. */
export interface UploadRow {
  readonly id: string;
  readonly meshId: string;
  readonly name: string;
  readonly sizeBytes: number;
  /** The object's key in its mesh's bucket. */
  readonly key: string;
  /** What the store of objects calls the upload. */
  readonly ref: string;
  readonly persistent: boolean;
  /** Life from the commit on; null for a persistent file. */
  readonly lifeMs: number | null;
  readonly memberId: string;
  readonly startedAt: Date;
  readonly touchedAt: Date;
}

const COLUMNS = `id, mesh_id as "meshId", name, size_bytes as "sizeBytes", minio_key as "key",
  upload_ref as "ref", persistent, life_ms as "lifeMs", uploaded_by_member as "memberId",
  started_at as "startedAt", touched_at as "touchedAt"`;

/** What `insertUpload` writes. */
export interface NewUpload extends Omit<UploadRow, "startedAt" | "touchedAt"> {
  readonly tags: readonly string[];
  readonly ownerPubkey: string;
  readonly memberName: string;
  readonly startedAtMs: number;
}

/** Bytes and rows of a mesh, open uploads and deleted files whose bytes are still there among them. */
export async function fileUsage(
  executor: SqlExecutor,
  meshId: string,
): Promise<{ bytes: number; files: number }> {
  const [row] = await executor.query<{ bytes: number; files: number }>(
    `select coalesce(sum(size_bytes), 0)::bigint as bytes, count(*) as files
     from mesh.file where mesh_id = $1`,
    [meshId],
  );
  return row ?? { bytes: 0, files: 0 };
}

/** How many uploads a member has open. */
export async function countUploads(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<number> {
  const [row] = await executor.query<{ count: number }>(
    `select count(*) as count from mesh.file
      where mesh_id = $1 and state = 'uploading' and uploaded_by_member = $2`,
    [meshId, memberId],
  );
  return row?.count ?? 0;
}

/** Writes a new upload. */
export async function insertUpload(executor: SqlExecutor, upload: NewUpload): Promise<void> {
  await executor.query(
    `insert into mesh.file (id, mesh_id, state, name, size_bytes, minio_key, upload_ref, tags,
       persistent, life_ms, owner_pubkey, uploaded_by_member, uploaded_by_name, started_at,
       touched_at)
     values ($1, $2, 'uploading', $3, $4, $5, $6, $7::text[], $8, $9, $10, $11, $12, $13, $13)`,
    [
      upload.id,
      upload.meshId,
      upload.name,
      upload.sizeBytes,
      upload.key,
      upload.ref,
      upload.tags,
      upload.persistent,
      upload.lifeMs,
      upload.ownerPubkey,
      upload.memberId,
      upload.memberName,
      new Date(upload.startedAtMs),
    ],
  );
}

/** An open upload of this mesh; of one member's when `memberId` is given. */
export async function findUpload(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  memberId: string | null = null,
): Promise<UploadRow | null> {
  const rows = await executor.query<UploadRow>(
    `select ${COLUMNS} from mesh.file
      where mesh_id = $1 and id = $2 and state = 'uploading'
        and ($3::text is null or uploaded_by_member = $3)`,
    [meshId, fileId, memberId],
  );
  return rows[0] ?? null;
}

/** A member's open uploads, oldest first. */
export async function listUploads(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<UploadRow[]> {
  return await executor.query<UploadRow>(
    `select ${COLUMNS} from mesh.file
      where mesh_id = $1 and state = 'uploading' and uploaded_by_member = $2
      order by started_at, id`,
    [meshId, memberId],
  );
}

/** Notes that somebody went on with an upload. */
export function touchUpload(meshId: string, fileId: string, atMs: number): SqlStatement {
  return {
    text: `update mesh.file set touched_at = $3
      where mesh_id = $1 and id = $2 and state = 'uploading'`,
    params: [meshId, fileId, new Date(atMs)],
  };
}

/** How a file is shared. */
export interface Sharing {
  readonly sha256: string;
  readonly atMs: number;
  readonly byPubkey: string;
  /** For the whole mesh, */
  readonly wrapped: { readonly epoch: number; readonly wrappedKey: string } | null;
  /** or for these members. */
  readonly sealedKeys: readonly { readonly pubkey: string; readonly sealedKey: string }[];
}

/**
 * Makes an upload a shared file, with its keys.
 * @returns false when there is no such upload any more; nothing is written then.
 */
export async function shareUpload(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  { sha256, atMs, byPubkey, wrapped, sealedKeys }: Sharing,
): Promise<boolean> {
  const at = new Date(atMs);
  const rows = await executor.query(
    `update mesh.file set state = 'shared', sha256 = $3, target_spec = $4, uploaded_at = $5::timestamptz,
       touched_at = $5::timestamptz, expires_at = $5::timestamptz + life_ms * interval '1 millisecond'
      where mesh_id = $1 and id = $2 and state = 'uploading' returning id`,
    [meshId, fileId, sha256, wrapped === null ? "members" : "mesh", at],
  );
  if (rows.length === 0) return false;
  if (wrapped !== null) {
    await executor.query(
      `insert into mesh.file_epoch_key (file_id, mesh_id, epoch, wrapped_key, wrapped_by_pubkey,
         wrapped_at)
       values ($1, $2, $3, $4, $5, $6)`,
      [fileId, meshId, wrapped.epoch, wrapped.wrappedKey, byPubkey, at],
    );
  }
  await executor.query(
    `insert into mesh.file_key (file_id, mesh_id, peer_pubkey, sealed_key, granted_at,
       granted_by_pubkey)
     select $1, $2, peer, sealed, $5, $6 from unnest($3::text[], $4::text[]) as key (peer, sealed)`,
    [
      fileId,
      meshId,
      sealedKeys.map(({ pubkey }) => pubkey),
      sealedKeys.map(({ sealedKey }) => sealedKey),
      at,
      byPubkey,
    ],
  );
  return true;
}

/**
 * Marks an upload or a shared file as deleted: nobody sees it any more, and its bytes go next.
 * @returns false when it was not there.
 */
export async function markFileDeleted(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  atMs: number,
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.file set state = 'deleted', deleted_at = $3
      where mesh_id = $1 and id = $2 and state <> 'deleted' returning id`,
    [meshId, fileId, new Date(atMs)],
  );
  return rows.length === 1;
}
