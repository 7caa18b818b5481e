/**
 * Epochs of the mesh key, their sealed copies per member, and the members that wait for one.
 */
import type { KeyRequest } from "../../../broker/api/mesh_keys.ts";
import type { SqlExecutor } from "../port.ts";

/** Who made an epoch, as the members check it (`crypto/mesh_key.ts`). */
export interface EpochProof {
  readonly by: string;
  readonly keyHash: string;
  readonly signature: string;
  readonly mac: string | null;
}

/** A member's copy of an epoch's key. */
export interface HeldKeyRow {
  readonly epoch: number;
  readonly sealedKey: string;
  readonly proof: EpochProof;
  readonly handoverMac: string | null;
  readonly handoverBy: string | null;
  readonly createdAt: Date;
}

/** A new epoch; `brokerKey` is the key itself, encrypted at rest, under custody `broker` only. */
export interface NewEpoch {
  readonly meshId: string;
  readonly epoch: number;
  readonly proof: EpochProof;
  readonly brokerKey: Uint8Array | null;
  readonly createdAtMs: number;
}

/** Writes an epoch. Throws SqlError `conflict` when the mesh has it. */
export async function insertEpoch(executor: SqlExecutor, epoch: NewEpoch): Promise<void> {
  await executor.query(
    `insert into mesh.mesh_epoch (mesh_id, epoch, proof, broker_key, created_at)
     values ($1, $2, $3::jsonb, $4, $5)`,
    [
      epoch.meshId,
      epoch.epoch,
      JSON.stringify(epoch.proof),
      epoch.brokerKey,
      new Date(epoch.createdAtMs),
    ],
  );
}

/**
 * Makes `epoch` the current one if it follows the current one, and drops the reason to rotate.
 * @returns false when another epoch is current by now.
 */
export async function advanceEpoch(
  executor: SqlExecutor,
  meshId: string,
  epoch: number,
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.mesh set epoch = $2, rekey_reason = null where id = $1 and epoch = $2 - 1
     returning id`,
    [meshId, epoch],
  );
  return rows.length === 1;
}

/** Ids of meshes whose current epoch began before `beforeMs` and that nobody has been asked to rotate. */
export async function meshesWithOldEpoch(
  executor: SqlExecutor,
  beforeMs: number,
): Promise<string[]> {
  const rows = await executor.query<{ id: string }>(
    `select mesh.id from mesh.mesh
       join mesh.mesh_epoch on mesh_epoch.mesh_id = mesh.id and mesh_epoch.epoch = mesh.epoch
      where mesh.rekey_reason is null and mesh.archived_at is null and mesh_epoch.created_at < $1
      order by mesh.id`,
    [new Date(beforeMs)],
  );
  return rows.map((row) => row.id);
}

/** The key of an epoch as the broker keeps it, encrypted at rest; null when it keeps none. */
export async function findBrokerKey(
  executor: SqlExecutor,
  meshId: string,
  epoch: number,
): Promise<Uint8Array | null> {
  const rows = await executor.query<{ brokerKey: Uint8Array | null }>(
    `select broker_key as "brokerKey" from mesh.mesh_epoch where mesh_id = $1 and epoch = $2`,
    [meshId, epoch],
  );
  return rows[0]?.brokerKey ?? null;
}

/** Any key that the broker keeps encrypted, to try the configured encryption key on; null when there is none. */
export async function anyBrokerKey(
  executor: SqlExecutor,
): Promise<{ meshId: string; epoch: number; brokerKey: Uint8Array } | null> {
  const rows = await executor.query<{ meshId: string; epoch: number; brokerKey: Uint8Array }>(
    `select mesh_id as "meshId", epoch, broker_key as "brokerKey" from mesh.mesh_epoch
      where broker_key is not null limit 1`,
  );
  return rows[0] ?? null;
}

/** Member id -> its sealed copy of an epoch's key. A copy that is there already stays. */
export async function insertSealedKeys(
  executor: SqlExecutor,
  keys: {
    readonly meshId: string;
    readonly epoch: number;
    readonly sealed: ReadonlyMap<string, string>;
    readonly handoverMac: string | null;
    readonly handoverBy: string | null;
    readonly createdAtMs: number;
  },
): Promise<void> {
  await executor.query(
    `insert into mesh.mesh_key (mesh_id, epoch, member_id, sealed_key, handover_mac, handover_by,
       created_at)
     select $1, $2, member_id, sealed_key, $5, $6, $7
       from unnest($3::text[], $4::text[]) as given (member_id, sealed_key)
     on conflict (member_id, epoch) do nothing`,
    [
      keys.meshId,
      keys.epoch,
      [...keys.sealed.keys()],
      [...keys.sealed.values()],
      keys.handoverMac,
      keys.handoverBy,
      new Date(keys.createdAtMs),
    ],
  );
}

/** A member's copies of the keys of epochs that were still current at `readableSinceMs`, oldest first. */
export async function listHeldKeys(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
  readableSinceMs: number,
): Promise<HeldKeyRow[]> {
  return await executor.query<HeldKeyRow>(
    `select held.epoch, held.sealed_key as "sealedKey", epoch.proof,
            held.handover_mac as "handoverMac", held.handover_by as "handoverBy",
            held.created_at as "createdAt"
       from mesh.mesh_key as held
       join mesh.mesh_epoch as epoch
         on epoch.mesh_id = held.mesh_id and epoch.epoch = held.epoch
       left join mesh.mesh_epoch as following
         on following.mesh_id = held.mesh_id and following.epoch = held.epoch + 1
      where held.mesh_id = $1 and held.member_id = $2
        and (following.created_at is null or following.created_at > $3)
      order by held.epoch`,
    [meshId, memberId, new Date(readableSinceMs)],
  );
}

/** Takes the mark off a member that was kicked: it has been handed the key again. */
export async function clearKicked(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<void> {
  await executor.query(
    "update mesh.member set kicked_at = null where mesh_id = $1 and id = $2",
    [meshId, memberId],
  );
}

/** Drops a member's copies: it left, and what it is given when it comes back is decided then. */
export async function deleteHeldKeys(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<void> {
  await executor.query("delete from mesh.mesh_key where mesh_id = $1 and member_id = $2", [
    meshId,
    memberId,
  ]);
}

/** What a member that waits for the key has shown. */
export interface NewKeyRequest {
  readonly meshId: string;
  readonly memberId: string;
  readonly inviteId: string | null;
  readonly claimText: string;
  /** Under the link's secret; null when it was claimed without. */
  readonly claimMac: string | null;
  readonly requestedAtMs: number;
}

/** Writes that a member waits for the key; a claim with a MAC replaces an earlier one. */
export async function putKeyRequest(
  executor: SqlExecutor,
  request: NewKeyRequest,
): Promise<void> {
  await executor.query(
    `insert into mesh.key_request as old (member_id, mesh_id, invite_id, claim_text, claim_mac,
       requested_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (member_id) do update set invite_id = excluded.invite_id,
       claim_text = excluded.claim_text, claim_mac = excluded.claim_mac,
       requested_at = excluded.requested_at
       where excluded.claim_mac is not null or old.claim_mac is null`,
    [
      request.memberId,
      request.meshId,
      request.inviteId,
      request.claimText,
      request.claimMac,
      new Date(request.requestedAtMs),
    ],
  );
}

/** Lets members wait that were left out of a rotation; what they showed when they joined still counts. */
export async function requestForLeftOut(
  executor: SqlExecutor,
  meshId: string,
  memberIds: readonly string[],
  nowMs: number,
): Promise<void> {
  await executor.query(
    `insert into mesh.key_request (member_id, mesh_id, invite_id, claim_text, claim_mac, requested_at)
     select member_id, $1, null, '', null, $3 from unnest($2::text[]) as given (member_id)
     on conflict (member_id) do nothing`,
    [meshId, memberIds, new Date(nowMs)],
  );
}

/** Lets what members showed when they joined count no more: they were shown out, a person decides about them. */
export async function forgetClaimMacs(
  executor: SqlExecutor,
  meshId: string,
  memberIds: readonly string[],
): Promise<void> {
  await executor.query(
    "update mesh.key_request set claim_mac = null where mesh_id = $1 and member_id = any($2::text[])",
    [meshId, memberIds],
  );
}

/** Forgets what a member showed when it joined: it left, and shows something else when it comes back. */
export async function deleteKeyRequest(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<void> {
  await executor.query("delete from mesh.key_request where mesh_id = $1 and member_id = $2", [
    meshId,
    memberId,
  ]);
}

/**
 * The active members of a mesh without a copy of the current epoch's key, longest waiting first. A row stays when its
 * member has been given the key: should a rotation leave it out, any agent can judge its claim again.
 */
export async function listKeyRequests(
  executor: SqlExecutor,
  meshId: string,
): Promise<KeyRequest[]> {
  const rows = await executor.query<Omit<KeyRequest, "requestedAt"> & { requestedAt: Date }>(
    `select request.member_id as "memberId", member.peer_pubkey as pubkey,
            member.display_name as "displayName", invite.code as "inviteCode",
            coalesce(invite.sealed_secret, '') as "sealedSecret",
            coalesce(invite.secret_epoch, 0) as "secretEpoch",
            request.claim_text as "claimText", request.claim_mac as "claimMac",
            request.requested_at as "requestedAt"
       from mesh.key_request as request
       join mesh.member on member.id = request.member_id
       join mesh.mesh on mesh.id = request.mesh_id
       left join mesh.invite on invite.id = request.invite_id
      where request.mesh_id = $1 and member.left_at is null and member.revoked_at is null
        and not exists (select from mesh.mesh_key as held
          where held.member_id = request.member_id and held.epoch = mesh.epoch)
      order by request.requested_at, request.member_id`,
    [meshId],
  );
  return rows.map((row) => ({ ...row, requestedAt: row.requestedAt.toISOString() }));
}
