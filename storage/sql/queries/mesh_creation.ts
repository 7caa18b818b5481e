/**
 * Inserts of what comes into being when a mesh is made or joined: the mesh, its members and the epoch they start with.
 */
import type { Custody, Group, MessageMode, Role } from "../../../broker/api/fields.ts";
import type { SqlExecutor } from "../port.ts";

/** A mesh as it is written once. */
export interface NewMesh {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  /** 64 hex: the creator's member key. */
  readonly ownerPubkey: string;
  readonly custody: Custody;
  readonly createdAtMs: number;
}

/** A member as it is written when it joins. */
export interface NewMember {
  readonly id: string;
  readonly meshId: string;
  readonly pubkey: string;
  readonly displayName: string;
  readonly role: Role;
  readonly roleTag: string | null;
  readonly defaultGroups: readonly Group[];
  readonly messageMode: MessageMode;
  readonly proven: boolean;
  readonly joinedAtMs: number;
}

/**
 * Writes a mesh in its first epoch.
 * @returns false when the id or the slug is taken; nothing is written then.
 */
export async function insertMesh(executor: SqlExecutor, mesh: NewMesh): Promise<boolean> {
  const rows = await executor.query(
    `insert into mesh.mesh (id, slug, name, owner_pubkey, custody, epoch, created_at)
     values ($1, $2, $3, $4, $5, 1, $6)
     on conflict do nothing
     returning id`,
    [mesh.id, mesh.slug, mesh.name, mesh.ownerPubkey, mesh.custody, new Date(mesh.createdAtMs)],
  );
  return rows.length === 1;
}

/**
 * Writes a member that joins, or that comes back after it left: the row of a former member keeps its id and number.
 * @returns id and number, or null when the key belongs to an active or a banned member.
 */
export async function insertMember(
  executor: SqlExecutor,
  member: NewMember,
): Promise<{ id: string; number: number } | null> {
  const rows = await executor.query<{ id: string; number: number }>(
    `insert into mesh.member as old (id, mesh_id, peer_pubkey, display_name, role, role_tag,
       default_groups, message_mode, proven, joined_at)
     values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)
     on conflict (mesh_id, peer_pubkey) do update set
       display_name = excluded.display_name, role = excluded.role, role_tag = excluded.role_tag,
       default_groups = excluded.default_groups, message_mode = excluded.message_mode,
       proven = excluded.proven, joined_at = excluded.joined_at, kicked_at = null, left_at = null
       where old.left_at is not null and old.revoked_at is null
     returning id, number`,
    [
      member.id,
      member.meshId,
      member.pubkey,
      member.displayName,
      member.role,
      member.roleTag,
      JSON.stringify(member.defaultGroups),
      member.messageMode,
      member.proven,
      new Date(member.joinedAtMs),
    ],
  );
  return rows[0] ?? null;
}

/** The mesh with this id or slug, if there is one. */
export async function findMeshes(
  executor: SqlExecutor,
  id: string,
  slug: string,
): Promise<{ id: string; slug: string; ownerPubkey: string; ownerMemberId: string | null }[]> {
  return await executor.query(
    `select mesh.id, mesh.slug, mesh.owner_pubkey as "ownerPubkey", member.id as "ownerMemberId"
       from mesh.mesh
       left join mesh.member on member.mesh_id = mesh.id and member.peer_pubkey = mesh.owner_pubkey
      where mesh.id = $1 or mesh.slug = $2`,
    [id, slug],
  );
}

/** How many meshes the broker holds. */
export async function countMeshes(executor: SqlExecutor): Promise<number> {
  const rows = await executor.query<{ count: number }>("select count(*) as count from mesh.mesh");
  return rows[0]?.count ?? 0;
}

/** The slugs among `candidates` that are taken. */
export async function takenSlugs(
  executor: SqlExecutor,
  candidates: readonly string[],
): Promise<Set<string>> {
  const rows = await executor.query<{ slug: string }>(
    "select slug from mesh.mesh where slug = any($1::text[])",
    [candidates],
  );
  return new Set(rows.map((row) => row.slug));
}
