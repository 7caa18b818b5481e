/**
 * Members of a mesh: reading them all, and the statements that change one. Rows of former members stay, so that a banned
 * key is known and a message's sender has a name.
 */
import type { Capability, Group, MessageMode, Role } from "../../../broker/api/fields.ts";
import type { SqlExecutor, SqlStatement } from "../port.ts";

export interface MemberRow {
  readonly id: string;
  readonly number: number;
  /** 64 hex. */
  readonly pubkey: string;
  readonly displayName: string;
  readonly role: Role;
  readonly roleTag: string | null;
  readonly defaultGroups: Group[];
  readonly messageMode: MessageMode;
  readonly bodyVersion: number;
  readonly proven: boolean;
  /** Sender key -> capabilities. */
  readonly grants: Record<string, Capability[]>;
  readonly joinedAt: Date;
  readonly lastSeenAt: Date | null;
  readonly kickedAt: Date | null;
  readonly leftAt: Date | null;
  readonly revokedAt: Date | null;
  /** Has a sealed copy of the current epoch's key. */
  readonly hasMeshKey: boolean;
}

/** What is written of a member without hurry: when it was seen, and what its agent reads. */
export interface MemberSighting {
  readonly id: string;
  readonly lastSeenAtMs: number;
  readonly bodyVersion: number;
}

/** Reads every member of a mesh, former ones too, in the order in which they joined first. */
export async function selectMembers(executor: SqlExecutor, meshId: string): Promise<MemberRow[]> {
  return await executor.query<MemberRow>(
    `select member.id, number, peer_pubkey as pubkey, display_name as "displayName", role,
       role_tag as "roleTag", default_groups as "defaultGroups", message_mode as "messageMode",
       body_version as "bodyVersion", proven, peer_grants as grants, joined_at as "joinedAt",
       last_seen_at as "lastSeenAt", kicked_at as "kickedAt", left_at as "leftAt",
       revoked_at as "revokedAt",
       exists (select from mesh.mesh_key where mesh_key.member_id = member.id
         and mesh_key.epoch = mesh.epoch) as "hasMeshKey"
     from mesh.member join mesh.mesh on mesh.id = member.mesh_id
     where member.mesh_id = $1 order by number`,
    [meshId],
  );
}

/** Changes a member's display name. */
export function renameMember(meshId: string, memberId: string, displayName: string): SqlStatement {
  return {
    text: "update mesh.member set display_name = $3 where mesh_id = $1 and id = $2",
    params: [meshId, memberId, displayName],
  };
}

/** Replaces what other members may do to a member. */
export function storeGrants(
  meshId: string,
  memberId: string,
  grants: Readonly<Record<string, readonly Capability[]>>,
): SqlStatement {
  return {
    text: "update mesh.member set peer_grants = $3::jsonb where mesh_id = $1 and id = $2",
    params: [meshId, memberId, JSON.stringify(grants)],
  };
}

/** Marks members as kicked, so that the next rotation leaves them out. */
export function markKicked(
  meshId: string,
  memberIds: readonly string[],
  atMs: number,
): SqlStatement {
  return {
    text: "update mesh.member set kicked_at = $3 where mesh_id = $1 and id = any($2::text[])",
    params: [meshId, memberIds, new Date(atMs)],
  };
}

/** Bans a member. */
export function markRevoked(meshId: string, memberId: string, atMs: number): SqlStatement {
  return {
    text: "update mesh.member set revoked_at = $3 where mesh_id = $1 and id = $2",
    params: [meshId, memberId, new Date(atMs)],
  };
}

/** Lifts a ban. */
export function clearRevoked(meshId: string, memberId: string): SqlStatement {
  return {
    text: "update mesh.member set revoked_at = null where mesh_id = $1 and id = $2",
    params: [meshId, memberId],
  };
}

/** Notes that a member left by itself. */
export function markLeft(meshId: string, memberId: string, atMs: number): SqlStatement {
  return {
    text: "update mesh.member set left_at = $3 where mesh_id = $1 and id = $2",
    params: [meshId, memberId, new Date(atMs)],
  };
}

/** Keeps why the mesh key must be rotated; the first reason stands until the rotation. */
export function requireRekey(meshId: string, reason: string): SqlStatement {
  return {
    text: "update mesh.mesh set rekey_reason = coalesce(rekey_reason, $2) where id = $1",
    params: [meshId, reason],
  };
}

/** Writes when members were seen last; a time that is older than the stored one changes nothing. */
export function touchMembers(
  meshId: string,
  sightings: readonly MemberSighting[],
): SqlStatement {
  return {
    text: `update mesh.member set body_version = seen.body_version,
       last_seen_at = greatest(last_seen_at, to_timestamp(seen.at / 1000.0))
     from unnest($2::text[], $3::float8[], $4::int4[]) as seen (id, at, body_version)
     where member.mesh_id = $1 and member.id = seen.id`,
    params: [
      meshId,
      sightings.map((each) => each.id),
      sightings.map((each) => each.lastSeenAtMs),
      sightings.map((each) => each.bodyVersion),
    ],
  };
}
