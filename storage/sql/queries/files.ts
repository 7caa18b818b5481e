/**
 * Shared files: who may read them, their keys, and who fetched them.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** A shared file. */
export interface FileRow {
  readonly id: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly key: string;
  /** What the store of objects called the upload. */
  readonly ref: string;
  readonly tags: readonly string[];
  readonly persistent: boolean;
  readonly targetSpec: "mesh" | "members";
  readonly sha256: string;
  readonly ownerPubkey: string;
  readonly memberId: string;
  readonly memberName: string;
  readonly uploadedAt: Date;
  readonly expiresAt: Date | null;
  /** The asking member's copy of the file key. */
  readonly sealedKey: string | null;
}

const COLUMNS = `file.id, file.name, file.size_bytes as "sizeBytes", file.minio_key as "key",
  file.upload_ref as "ref", file.tags, file.persistent, file.target_spec as "targetSpec", file.sha256,
  file.owner_pubkey as "ownerPubkey", file.uploaded_by_member as "memberId",
  file.uploaded_by_name as "memberName", file.uploaded_at as "uploadedAt",
  file.expires_at as "expiresAt", own.sealed_key as "sealedKey"`;

/** Shared files that are there now, with the key of the member `$2` (a member key); `$3` is the time. */
const VISIBLE = `from mesh.file as file
  left join mesh.file_key as own on own.file_id = file.id and own.peer_pubkey = $2
  where file.mesh_id = $1 and file.state = 'shared'
    and (file.expires_at is null or file.expires_at > $3)`;

/** A shared file of this mesh as the member with this key sees it, null when there is none. */
export async function findFile(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  { pubkey, nowMs }: { pubkey: string; nowMs: number },
): Promise<FileRow | null> {
  const rows = await executor.query<FileRow>(
    `select ${COLUMNS} ${VISIBLE} and file.id = $4`,
    [meshId, pubkey, new Date(nowMs), fileId],
  );
  return rows[0] ?? null;
}

/** Which files are looked for, and how many. */
export interface FileSearch {
  readonly pubkey: string;
  /** True: also those that the member cannot read. */
  readonly all: boolean;
  readonly nowMs: number;
  readonly query: string | null;
  /** Who shared it: ids of members and a name in lower case; null: anybody. */
  readonly from: { readonly memberIds: readonly string[]; readonly name: string } | null;
  /** Files before this one in the list. */
  readonly before: { readonly atMs: number; readonly id: string } | null;
  readonly limit: number;
}

/** Shared files, newest first. */
export async function searchFiles(
  executor: SqlExecutor,
  meshId: string,
  { pubkey, all, nowMs, query, from, before, limit }: FileSearch,
): Promise<FileRow[]> {
  return await executor.query<FileRow>(
    `select ${COLUMNS} ${VISIBLE}
       and ($4 or file.target_spec = 'mesh' or own.sealed_key is not null)
       and ($5::text is null or file.name ilike $5 or lower($6) = any (
         select lower(tag) from unnest(file.tags) as tag))
       and ($7::text[] is null or file.uploaded_by_member = any ($7)
         or lower(file.uploaded_by_name) = $8)
       and ($9::timestamptz is null or (file.uploaded_at, file.id) < ($9, $10))
     order by file.uploaded_at desc, file.id desc limit $11`,
    [
      meshId,
      pubkey,
      new Date(nowMs),
      all,
      query === null ? null : `%${query.replace(/[\\%_]/g, "\\$&")}%`,
      query ?? "",
      from?.memberIds ?? null,
      from?.name ?? "",
      before === null ? null : new Date(before.atMs),
      before?.id ?? "",
      limit,
    ],
  );
}

/** The file key under epochs' mesh keys, newest epoch first. */
export async function wrappedKeys(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
): Promise<{ epoch: number; wrappedKey: string }[]> {
  return await executor.query(
    `select epoch, wrapped_key as "wrappedKey" from mesh.file_epoch_key
      where mesh_id = $1 and file_id = $2 order by epoch desc`,
    [meshId, fileId],
  );
}

/** The member keys that a file is sealed to. */
export async function sealedTo(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
): Promise<string[]> {
  const rows = await executor.query<{ pubkey: string }>(
    `select peer_pubkey as pubkey from mesh.file_key where mesh_id = $1 and file_id = $2
      order by granted_at, peer_pubkey`,
    [meshId, fileId],
  );
  return rows.map(({ pubkey }) => pubkey);
}

/**
 * Stores a member's copy of a file key. One that is there gives way only to who gave it and to who shared the file: a
 * reader must not be able to put junk in the place of another's key.
 * @returns false when another's copy stays in its place.
 */
export async function storeFileKey(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  key: { pubkey: string; sealedKey: string; byPubkey: string; isOwner: boolean; atMs: number },
): Promise<boolean> {
  const rows = await executor.query(
    `insert into mesh.file_key as known (file_id, mesh_id, peer_pubkey, sealed_key, granted_at,
       granted_by_pubkey)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (file_id, peer_pubkey) do update set sealed_key = excluded.sealed_key,
       granted_at = excluded.granted_at, granted_by_pubkey = excluded.granted_by_pubkey
     where $7 or known.granted_by_pubkey = excluded.granted_by_pubkey
     returning file_id`,
    [fileId, meshId, key.pubkey, key.sealedKey, new Date(key.atMs), key.byPubkey, key.isOwner],
  );
  return rows.length === 1;
}

/** A file key whose newest epoch is not the current one. */
export interface StaleKey {
  readonly fileId: string;
  readonly epoch: number;
  readonly wrappedKey: string;
}

/** Keys that are not wrapped under `epoch` yet, oldest file first; of one member's files when `memberId` is given. */
export async function staleFileKeys(
  executor: SqlExecutor,
  meshId: string,
  { epoch, memberId, limit }: { epoch: number; memberId: string | null; limit: number },
): Promise<StaleKey[]> {
  return await executor.query<StaleKey>(
    `select file.id as "fileId", newest.epoch, newest.wrapped_key as "wrappedKey"
       from mesh.file as file
       join lateral (
         select epoch, wrapped_key from mesh.file_epoch_key as key where key.file_id = file.id
         order by epoch desc limit 1
       ) as newest on newest.epoch < $2
      where file.mesh_id = $1 and file.state = 'shared' and file.target_spec = 'mesh'
        and ($3::text is null or file.uploaded_by_member = $3)
      order by file.uploaded_at, file.id limit $4`,
    [meshId, epoch, memberId, limit],
  );
}

/** Who wraps keys anew, and which. */
export interface Rewrapping {
  readonly epoch: number;
  /** Files of this member alone; null: any. */
  readonly memberId: string | null;
  readonly byPubkey: string;
  readonly atMs: number;
  readonly keys: readonly { readonly fileId: string; readonly wrappedKey: string }[];
  /** Epochs before this one are forgotten. */
  readonly oldestEpoch: number;
}

/** Stores keys under an epoch where they have none under it yet. Returns the files' ids. */
export async function rewrapFileKeys(
  executor: SqlExecutor,
  meshId: string,
  { epoch, memberId, byPubkey, atMs, keys, oldestEpoch }: Rewrapping,
): Promise<string[]> {
  const rows = await executor.query<{ id: string }>(
    `insert into mesh.file_epoch_key (file_id, mesh_id, epoch, wrapped_key, wrapped_by_pubkey,
       wrapped_at)
     select file.id, $1, $2, key.wrapped, $3, $4
       from unnest($5::text[], $6::text[]) as key (id, wrapped)
       join mesh.file as file on file.id = key.id
      where file.mesh_id = $1 and file.state = 'shared' and file.target_spec = 'mesh'
        and ($7::text is null or file.uploaded_by_member = $7)
     on conflict do nothing returning file_id as id`,
    [
      meshId,
      epoch,
      byPubkey,
      new Date(atMs),
      keys.map(({ fileId }) => fileId),
      keys.map(({ wrappedKey }) => wrappedKey),
      memberId,
    ],
  );
  const ids = rows.map(({ id }) => id);
  await executor.query(
    `delete from mesh.file_epoch_key where mesh_id = $1 and file_id = any ($2::text[]) and epoch < $3`,
    [meshId, ids, oldestEpoch],
  );
  return ids;
}

/** The member's fetch of a file that is not complete, null when there is none. */
export async function openAccess(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  memberId: string,
): Promise<string | null> {
  const rows = await executor.query<{ id: string }>(
    `select id from mesh.file_access
      where mesh_id = $1 and file_id = $2 and member_id = $3 and completed_at is null
      order by accessed_at desc limit 1`,
    [meshId, fileId, memberId],
  );
  return rows[0]?.id ?? null;
}

/** Notes that a member was handed a URL; one of the same id is gone on with. */
export function storeAccess(
  meshId: string,
  access: { id: string; fileId: string; memberId: string; peerName: string; atMs: number },
): SqlStatement {
  return {
    text: `insert into mesh.file_access (id, file_id, mesh_id, member_id, peer_name, accessed_at)
      select $1, file.id, $2, $4, $5, $6 from mesh.file as file
       where file.mesh_id = $2 and file.id = $3
      on conflict (id) do update set accessed_at = excluded.accessed_at,
        peer_name = excluded.peer_name`,
    params: [
      access.id,
      meshId,
      access.fileId,
      access.memberId,
      access.peerName,
      new Date(access.atMs),
    ],
  };
}

/** Notes that the last byte went out. */
export function completeAccess(meshId: string, accessId: string, atMs: number): SqlStatement {
  return {
    text: `update mesh.file_access set completed_at = $3
      where mesh_id = $1 and id = $2 and completed_at is null`,
    params: [meshId, accessId, new Date(atMs)],
  };
}

/** A fetch of a file. */
export interface AccessRow {
  readonly memberId: string;
  readonly peerName: string;
  readonly accessedAt: Date;
  readonly completedAt: Date | null;
}

/** Who fetched a file, newest first. */
export async function listAccesses(
  executor: SqlExecutor,
  meshId: string,
  fileId: string,
  limit: number,
): Promise<AccessRow[]> {
  return await executor.query<AccessRow>(
    `select member_id as "memberId", peer_name as "peerName", accessed_at as "accessedAt",
       completed_at as "completedAt"
       from mesh.file_access where mesh_id = $1 and file_id = $2
      order by accessed_at desc, id limit $3`,
    [meshId, fileId, limit],
  );
}
