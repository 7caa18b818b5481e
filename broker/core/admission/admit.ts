/**
 * How somebody becomes a member by an invite: the use, the member, its wait for the key (or the sealed key itself) and
 * the audit row come into being in one transaction, and memory follows.
 */
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import { type InviteRow, useInvite } from "../../../storage/sql/queries/invites.ts";
import { selectMembers } from "../../../storage/sql/queries/members.ts";
import { insertMember, type NewMember } from "../../../storage/sql/queries/mesh_creation.ts";
import {
  deleteHeldKeys,
  deleteKeyRequest,
  insertSealedKeys,
  putKeyRequest,
} from "../../../storage/sql/queries/mesh_keys.ts";
import { MeshError } from "../../api/errors.ts";
import { memberEvents } from "../../api/members.ts";
import { meshKeyEvents } from "../../api/mesh_keys.ts";
import type { BrokerContext } from "../context.ts";
import type { Member, Mesh } from "../model.ts";
import { sealKeptKey } from "./sealed_key.ts";

/** Who wants to join, and what it showed for it. */
export interface Joiner {
  readonly pubkey: string;
  readonly displayName: string;
  /** What it signed, for the member that decides about the key. */
  readonly claimText: string;
  /** Under the link's secret; null when it had none. */
  readonly claimMac: string | null;
}

/** What a join came to. */
export interface Admission {
  readonly member: Member;
  readonly alreadyMember: boolean;
  /** The current mesh key sealed to the member, standard base64; null: a member hands it over. */
  readonly sealedKey: string | null;
}

/** Thrown inside the transaction to undo it: the key is a member's by now. */
class AlreadyThere extends MeshError {
  constructor() {
    super("conflict", "this key has become a member meanwhile; try again");
  }
}

/**
 * Adds `joiner` to the mesh of `invite`, which the caller has found usable but for its uses.
 * @throws {MeshError} `forbidden` for a banned key, `exhausted`, `limit`, or a failure of the store.
 */
export async function admit(
  broker: BrokerContext,
  mesh: Mesh,
  invite: InviteRow,
  joiner: Joiner,
): Promise<Admission> {
  const known = mesh.membersByPubkey.get(joiner.pubkey);
  if (known !== undefined) requireNotBanned(known);
  if (known !== undefined && known.leftAtMs === null) {
    return await welcomeBack(broker, known, invite, joiner);
  }
  requireRoom(broker, mesh);
  try {
    return await add(broker, mesh, invite, joiner);
  } catch (cause) {
    if (!(cause instanceof AlreadyThere)) throw cause;
    return await welcomeBack(broker, await reread(broker, mesh, joiner.pubkey), invite, joiner);
  }
}

async function add(
  broker: BrokerContext,
  mesh: Mesh,
  invite: InviteRow,
  joiner: Joiner,
): Promise<Admission> {
  const joined = newMember(broker, mesh, invite, joiner);
  const { row, sealedKey } = await broker.ledger.transact(mesh, async (tx) => {
    const row = await insertMember(tx, joined);
    if (row === null) throw new AlreadyThere();
    if (!await useInvite(tx, mesh.id, invite.id, joined.joinedAtMs)) {
      throw new MeshError("exhausted", "this invite has no uses left; ask for a new one");
    }
    const sealedKey = await provideKey(broker, tx, mesh, invite, joiner, row.id);
    const payload = {
      memberId: row.id,
      inviteId: invite.id,
      role: joined.role,
      proven: joined.proven,
    };
    const actor = { id: row.id, displayName: joined.displayName };
    return {
      result: { row, sealedKey },
      audits: [{ event: "member_joined", actor, payload }],
    };
  });
  const member = broker.meshes.admit(mesh, {
    ...row,
    pubkey: joined.pubkey,
    displayName: joined.displayName,
    role: joined.role,
    roleTag: joined.roleTag,
    defaultGroups: [...joined.defaultGroups],
    messageMode: joined.messageMode,
    proven: joined.proven,
    joinedAtMs: joined.joinedAtMs,
    hasMeshKey: sealedKey !== null,
  });
  announce(broker, member);
  return { member, alreadyMember: false, sealedKey };
}

function newMember(
  broker: BrokerContext,
  mesh: Mesh,
  invite: InviteRow,
  joiner: Joiner,
): NewMember {
  const { preset } = invite;
  return {
    id: broker.random.id(),
    meshId: mesh.id,
    pubkey: joiner.pubkey,
    displayName: preset.displayName ?? joiner.displayName,
    // The row decides, never what the joiner sent (D9).
    role: invite.role,
    roleTag: preset.roleTag ?? null,
    defaultGroups: preset.groups ?? [],
    messageMode: preset.messageMode ?? "push",
    proven: joiner.claimMac !== null,
    joinedAtMs: broker.clock.now(),
  };
}

/** Keeps what the member showed, and gives the key where the broker holds it; what it held before it left is dropped. */
async function provideKey(
  broker: BrokerContext,
  tx: SqlExecutor,
  mesh: Mesh,
  invite: InviteRow,
  joiner: Joiner,
  memberId: string,
): Promise<string | null> {
  await deleteHeldKeys(tx, mesh.id, memberId);
  await deleteKeyRequest(tx, mesh.id, memberId);
  const nowMs = broker.clock.now();
  await putKeyRequest(tx, {
    meshId: mesh.id,
    memberId,
    inviteId: invite.id,
    claimText: joiner.claimText,
    claimMac: joiner.claimMac,
    requestedAtMs: nowMs,
  });
  if (mesh.custody === "members") return null;
  const sealedKey = await sealKeptKey(broker, tx, mesh, joiner.pubkey);
  await insertSealedKeys(tx, {
    meshId: mesh.id,
    epoch: mesh.epoch,
    sealed: new Map([[memberId, sealedKey]]),
    handoverMac: null,
    handoverBy: null,
    createdAtMs: nowMs,
  });
  return sealedKey;
}

/**
 * Answers somebody who is a member already; no use is counted. A member that still waits for the key may show the link's
 * secret now; one that was kicked may not, since it has that from before.
 */
async function welcomeBack(
  broker: BrokerContext,
  member: Member,
  invite: InviteRow,
  joiner: Joiner,
): Promise<Admission> {
  const { mesh } = member;
  if (mesh.custody === "broker" && member.kickedAtMs === null) {
    return { member, alreadyMember: true, sealedKey: await sealAgain(broker, member) };
  }
  if (!member.hasMeshKey && member.kickedAtMs === null && joiner.claimMac !== null) {
    await broker.ledger.transact(mesh, async (tx) => {
      await putKeyRequest(tx, {
        meshId: mesh.id,
        memberId: member.id,
        inviteId: invite.id,
        claimText: joiner.claimText,
        claimMac: joiner.claimMac,
        requestedAtMs: broker.clock.now(),
      });
      const payload = { memberId: member.id, inviteId: invite.id };
      return { result: null, audits: [{ event: "mesh_key_requested", actor: member, payload }] };
    });
    askForKey(broker, member, true);
  }
  return { member, alreadyMember: true, sealedKey: null };
}

/** Gives the current key to a member of a mesh of custody `broker`; one that a rotation had left out has it then too. */
async function sealAgain(broker: BrokerContext, member: Member): Promise<string> {
  const { mesh, id, pubkey } = member;
  const sealedKey = await broker.ledger.transact(mesh, async (tx) => {
    const sealedKey = await sealKeptKey(broker, tx, mesh, pubkey);
    await insertSealedKeys(tx, {
      meshId: mesh.id,
      epoch: mesh.epoch,
      sealed: new Map([[id, sealedKey]]),
      handoverMac: null,
      handoverBy: null,
      createdAtMs: broker.clock.now(),
    });
    const payload = { memberId: id, epoch: mesh.epoch };
    return { result: sealedKey, audits: [{ event: "mesh_key_sealed", actor: member, payload }] };
  });
  member.hasMeshKey = true;
  return sealedKey;
}

function announce(broker: BrokerContext, member: Member): void {
  const { id, displayName, pubkey, role, proven, mesh } = member;
  const person = { memberId: id, name: displayName, pubkey, role, proven };
  broker.events.toMesh(mesh, memberEvents.memberAdded, person);
  if (!member.hasMeshKey) askForKey(broker, member, proven);
}

function askForKey(broker: BrokerContext, member: Member, proven: boolean): void {
  broker.events.toAdmins(member.mesh, meshKeyEvents.keyRequested, {
    memberId: member.id,
    name: member.displayName,
    proven,
  });
}

function requireNotBanned(member: Member): void {
  if (member.revokedAtMs === null) return;
  throw new MeshError("forbidden", "this key was banned from the mesh; an admin can lift that");
}

function requireRoom(broker: BrokerContext, mesh: Mesh): void {
  const limit = broker.settings.limits.membersPerMesh;
  let count = 0;
  for (const member of mesh.membersById.values()) {
    if (member.leftAtMs === null && member.revokedAtMs === null) count += 1;
  }
  if (count < limit) return;
  throw new MeshError("limit", `this mesh has its ${limit} members`, { data: { limit } });
}

/** A commit whose answer was lost left a member in the store that memory does not know. */
async function reread(broker: BrokerContext, mesh: Mesh, pubkey: string): Promise<Member> {
  const known = mesh.membersByPubkey.get(pubkey);
  if (known !== undefined) {
    requireNotBanned(known);
    if (known.leftAtMs === null) return known;
  }
  const rows = await selectMembers(broker.sql, mesh.id);
  const row = rows.find((each) => each.pubkey === pubkey);
  if (row === undefined || row.leftAt !== null || row.revokedAt !== null) throw new AlreadyThere();
  const member = broker.meshes.restore(mesh, row);
  announce(broker, member);
  return member;
}
