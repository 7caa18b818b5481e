/**
 * The mesh key over the wire: sealed copies for each member, rotation, and the hand-over to members that wait. The broker
 * checks who may do it and that all is complete; the key itself it sees under custody `broker` only.
 */
import { isSignedRotation } from "../../crypto/mesh_key.ts";
import {
  advanceEpoch,
  clearKicked,
  forgetClaimMacs,
  insertEpoch,
  insertSealedKeys,
  listHeldKeys,
  listKeyRequests,
  requestForLeftOut,
} from "../../storage/sql/queries/mesh_keys.ts";
import { selectMesh } from "../../storage/sql/queries/meshes.ts";
import { MeshError } from "../api/errors.ts";
import { meshKeyEvents, type meshKeys as contract } from "../api/mesh_keys.ts";
import type { Handlers } from "../api/op.ts";
import { isSealedKey, keptKey } from "../core/admission/sealed_key.ts";
import type { BrokerContext, Call } from "../core/context.ts";
import type { Member, Mesh } from "../core/model.ts";

type MeshKeyHandlers = Handlers<typeof contract, Call>;
type RotateInput = Parameters<MeshKeyHandlers["rotateMeshKey"]>[1];

export const meshKeys: MeshKeyHandlers = {
  async getMeshKeys({ broker, connection: { mesh, member } }) {
    const readableSinceMs = broker.clock.now() - broker.settings.limits.rotationMs;
    const rows = await listHeldKeys(broker.sql, mesh.id, member.id, readableSinceMs);
    return {
      epoch: mesh.epoch,
      rekeyNeeded: mesh.rekeyReason !== null,
      keys: rows.map((row) => ({ ...row, createdAt: row.createdAt.toISOString() })),
    };
  },

  async rotateMeshKey(call, input) {
    const { broker, connection: { mesh, member } } = call;
    requireNext(mesh, input.epoch);
    requireProof(mesh, member, input);
    const given = readersOf(mesh, member, input);
    const brokerKey = keptKey(broker, mesh, input.epoch, input.brokerKey, input.proof.keyHash);
    const nowMs = broker.clock.now();
    const sealed = new Map([...given].map(([id]) => [id, input.sealed[id] ?? ""]));
    await broker.ledger.transact(mesh, async (tx) => {
      // Read here, where whoever joined while this waited in line is in memory.
      const leftOut = activeMembers(mesh).filter((each) => !given.has(each.id));
      if (!await advanceEpoch(tx, mesh.id, input.epoch)) throw new LostRace();
      await insertEpoch(tx, {
        meshId: mesh.id,
        epoch: input.epoch,
        proof: input.proof,
        brokerKey,
        createdAtMs: nowMs,
      });
      await insertSealedKeys(tx, {
        meshId: mesh.id,
        epoch: input.epoch,
        sealed,
        handoverMac: null,
        handoverBy: null,
        createdAtMs: nowMs,
      });
      await requestForLeftOut(tx, mesh.id, idsOf(leftOut), nowMs);
      await forgetClaimMacs(tx, mesh.id, idsOf([...mesh.membersById.values()].filter(isShownOut)));
      const payload = { epoch: input.epoch, members: given.size, leftOut: leftOut.length };
      return { result: null, audits: [{ event: "mesh_key_rotated", actor: member, payload }] };
    }).catch(async (cause) => {
      if (cause instanceof LostRace) await reread(broker, mesh);
      throw cause;
    });
    mesh.epoch = input.epoch;
    mesh.epochAtMs = nowMs;
    mesh.rekeyReason = null;
    for (const each of mesh.membersById.values()) each.hasMeshKey = given.has(each.id);
    broker.events.toMesh(mesh, meshKeyEvents.meshKeyChanged, { epoch: mesh.epoch });
    return { epoch: mesh.epoch };
  },

  async listKeyRequests({ broker, connection: { mesh } }) {
    return { requests: await listKeyRequests(broker.sql, mesh.id) };
  },

  async handOverKey(call, input) {
    const { broker, connection: { mesh, member } } = call;
    const joiner = mesh.membersById.get(input.memberId);
    if (joiner === undefined || !isActive(joiner)) {
      throw new MeshError("not_found", `no member of this mesh has the id "${input.memberId}"`);
    }
    requireWaiting(joiner, input.epoch);
    requireSealed(input.sealedKey, "sealedKey");
    await broker.ledger.transact(mesh, async (tx) => {
      // A rotation or another hand-over may have gone first while this one waited in line.
      requireWaiting(joiner, input.epoch);
      await insertSealedKeys(tx, {
        meshId: mesh.id,
        epoch: input.epoch,
        sealed: new Map([[joiner.id, input.sealedKey]]),
        handoverMac: input.mac,
        handoverBy: member.pubkey,
        createdAtMs: broker.clock.now(),
      });
      await clearKicked(tx, mesh.id, joiner.id);
      const payload = { memberId: joiner.id, epoch: input.epoch, proven: input.mac !== null };
      return { result: null, audits: [{ event: "mesh_key_handed_over", actor: member, payload }] };
    });
    joiner.hasMeshKey = true;
    joiner.kickedAtMs = null;
    broker.events.toMember(joiner, meshKeyEvents.meshKeyChanged, { epoch: input.epoch });
    return { memberId: joiner.id, epoch: input.epoch };
  },
};

/** Somebody else's rotation was committed first. */
class LostRace extends MeshError {
  constructor() {
    super("conflict", "somebody else has rotated the key; fetch it with get_mesh_keys");
  }
}

function isActive(member: Member): boolean {
  return member.leftAtMs === null && member.revokedAtMs === null;
}

function isShownOut(member: Member): boolean {
  return member.kickedAtMs !== null || member.revokedAtMs !== null;
}

function idsOf(members: readonly Member[]): string[] {
  return members.map((member) => member.id);
}

function activeMembers(mesh: Mesh): Member[] {
  return [...mesh.membersById.values()].filter(isActive);
}

function requireNext(mesh: Mesh, epoch: number): void {
  if (epoch === mesh.epoch + 1) return;
  throw new MeshError(
    "conflict",
    `the current epoch is ${mesh.epoch}, so the next one is ${mesh.epoch + 1}, not ${epoch}`,
  );
}

function requireWaiting({ mesh, hasMeshKey, displayName }: Member, epoch: number): void {
  if (epoch !== mesh.epoch) {
    throw new MeshError("conflict", `the current epoch is ${mesh.epoch}; hand over its key`);
  }
  if (hasMeshKey) {
    throw new MeshError("conflict", `${displayName} has been handed the key already`);
  }
}

function requireProof(mesh: Mesh, member: Member, { epoch, proof }: RotateInput): void {
  if (proof.by === member.pubkey && isSignedRotation(mesh.id, epoch, proof)) return;
  throw new MeshError("bad_signature", "the rotation's proof is not signed by your member key");
}

function requireSealed(sealed: string, field: string): void {
  if (isSealedKey(sealed)) return;
  throw new MeshError("invalid_argument", `${field} is not a sealed key of 32 bytes`, {
    data: { field },
  });
}

/**
 * Returns who is to read on: the members that the caller sealed the key to, but for those that were kicked, who have to be
 * handed it again by a person.
 */
function readersOf(mesh: Mesh, caller: Member, { sealed }: RotateInput): Map<string, Member> {
  const readers = new Map<string, Member>();
  for (const [memberId, sealedKey] of Object.entries(sealed)) {
    const member = mesh.membersById.get(memberId);
    if (member === undefined || !isActive(member)) {
      throw new MeshError("not_found", `no member of this mesh has the id "${memberId}"`);
    }
    requireSealed(sealedKey, `sealed.${memberId}`);
    if (member.kickedAtMs === null || member === caller) readers.set(memberId, member);
  }
  if (!readers.has(caller.id)) {
    throw new MeshError("invalid_argument", "seal the new key to yourself too", {
      data: { field: "sealed" },
    });
  }
  return readers;
}

/** Memory lags behind the store after a commit whose answer was lost. */
async function reread(broker: BrokerContext, mesh: Mesh): Promise<void> {
  const row = await selectMesh(broker.sql, mesh.id);
  if (row === null || row.epoch <= mesh.epoch) return;
  mesh.epoch = row.epoch;
  mesh.epochAtMs = (row.epochAt ?? row.createdAt).getTime();
  mesh.rekeyReason = row.rekeyReason;
}
