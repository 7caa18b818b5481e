/**
 * Invites: registered by owners and admins, found by code (version 2) or by token (version 1), used up by joins.
 */
import type { Group } from "../../../broker/api/fields.ts";
import type { SqlExecutor } from "../port.ts";

/** What a joiner is given beside the role. Version 1 rows of the original broker may hold more than groups. */
export interface InvitePreset {
  readonly groups?: readonly Group[];
  readonly displayName?: string;
  readonly roleTag?: string;
  readonly messageMode?: "push" | "inbox" | "off";
}

/** A row of `mesh.invite`. */
export interface InviteRow {
  readonly id: string;
  readonly meshId: string;
  readonly code: string | null;
  readonly version: number;
  readonly role: "admin" | "member";
  readonly maxUses: number;
  readonly usedCount: number;
  readonly preset: InvitePreset;
  readonly inviterPubkey: string | null;
  readonly canonical: string | null;
  readonly signature: string | null;
  /** The link's secret under the mesh key of `secretEpoch`, base64; empty when its maker kept none. */
  readonly sealedSecret: string;
  readonly secretEpoch: number;
  /** Member id of its maker. */
  readonly createdBy: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

const COLUMNS = `id, mesh_id as "meshId", code, version, role, max_uses as "maxUses",
  used_count as "usedCount", preset, inviter_pubkey as "inviterPubkey", canonical, signature,
  sealed_secret as "sealedSecret", secret_epoch as "secretEpoch", created_by as "createdBy",
  created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"`;

/** What `insertInvite` writes: a version 2 invite, unused. */
export type NewInvite =
  & Pick<
    InviteRow,
    "id" | "meshId" | "role" | "maxUses" | "preset" | "sealedSecret" | "secretEpoch"
  >
  & {
    readonly code: string;
    readonly inviterPubkey: string;
    readonly canonical: string;
    readonly signature: string;
    readonly createdBy: string;
    readonly createdAtMs: number;
    readonly expiresAtMs: number;
  };

/**
 * Writes a new invite.
 * @returns false when its id or code is taken; nothing is written then.
 */
export async function insertInvite(executor: SqlExecutor, invite: NewInvite): Promise<boolean> {
  const rows = await executor.query(
    `insert into mesh.invite (id, mesh_id, code, version, role, max_uses, preset, inviter_pubkey,
       canonical, signature, sealed_secret, secret_epoch, created_by, created_at, expires_at)
     values ($1, $2, $3, 2, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12, $13, $14)
     on conflict do nothing
     returning id`,
    [
      invite.id,
      invite.meshId,
      invite.code,
      invite.role,
      invite.maxUses,
      JSON.stringify(invite.preset),
      invite.inviterPubkey,
      invite.canonical,
      invite.signature,
      invite.sealedSecret,
      invite.secretEpoch,
      invite.createdBy,
      new Date(invite.createdAtMs),
      new Date(invite.expiresAtMs),
    ],
  );
  return rows.length === 1;
}

/** The version 2 invite with this code, whatever its state. */
export async function findInviteByCode(
  executor: SqlExecutor,
  code: string,
): Promise<InviteRow | null> {
  const rows = await executor.query<InviteRow>(
    `select ${COLUMNS} from mesh.invite where code = $1 and version = 2`,
    [code],
  );
  return rows[0] ?? null;
}

/** The version 1 invite with this token, whatever its state. */
export async function findInviteByToken(
  executor: SqlExecutor,
  token: string,
): Promise<InviteRow | null> {
  const rows = await executor.query<InviteRow>(
    `select ${COLUMNS} from mesh.invite where token = $1 and version = 1`,
    [token],
  );
  return rows[0] ?? null;
}

/** The invites of a mesh that have a code, newest first, at most `limit`. */
export async function listInvites(
  executor: SqlExecutor,
  meshId: string,
  limit: number,
): Promise<InviteRow[]> {
  return await executor.query<InviteRow>(
    `select ${COLUMNS} from mesh.invite where mesh_id = $1 and code is not null
      order by created_at desc, id limit $2`,
    [meshId, limit],
  );
}

/** How many invites of a mesh can still be claimed at `nowMs`. */
export async function countUsableInvites(
  executor: SqlExecutor,
  meshId: string,
  nowMs: number,
): Promise<number> {
  const rows = await executor.query<{ count: number }>(
    `select count(*) as count from mesh.invite
      where mesh_id = $1 and revoked_at is null and expires_at > $2 and used_count < max_uses`,
    [meshId, new Date(nowMs)],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Revokes an invite of this mesh; a second time changes nothing.
 * @returns the invite's id, or null when the mesh has none with this code.
 */
export async function revokeInvite(
  executor: SqlExecutor,
  meshId: string,
  code: string,
  nowMs: number,
): Promise<string | null> {
  const rows = await executor.query<{ id: string }>(
    `update mesh.invite set revoked_at = coalesce(revoked_at, $3)
      where mesh_id = $1 and code = $2 returning id`,
    [meshId, code, new Date(nowMs)],
  );
  return rows[0]?.id ?? null;
}

/**
 * Counts one use, if there is one left at `nowMs`: to be called in the transaction that adds the member, so that a use
 * and a member come into being together.
 * @returns false when the invite is used up, revoked or expired by now.
 */
export async function useInvite(
  executor: SqlExecutor,
  meshId: string,
  inviteId: string,
  nowMs: number,
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.invite set used_count = used_count + 1
      where mesh_id = $1 and id = $2 and used_count < max_uses and revoked_at is null
        and expires_at > $3
      returning id`,
    [meshId, inviteId, new Date(nowMs)],
  );
  return rows.length === 1;
}
