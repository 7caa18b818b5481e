/**
 * Asking for a new epoch: somebody left, was kicked or banned, or the key is old. An owner's or admin's agent rotates;
 * until then the mesh says `rekey_needed`.
 */
import { requireRekey } from "../../storage/sql/queries/members.ts";
import { meshKeyEvents } from "../api/mesh_keys.ts";
import type { BrokerContext } from "./context.ts";
import type { Mesh } from "./model.ts";

/** Why a mesh key is to be rotated. */
export type RekeyReason = "member_left" | "member_kicked" | "member_banned" | "key_old";

/**
 * Asks the mesh's owners and admins for a rotation and keeps that they were asked; a mesh that waits for one already is
 * not asked again.
 * @throws {MeshError} when the store failed.
 */
export async function requestRekey(
  broker: Pick<BrokerContext, "ledger" | "events">,
  mesh: Mesh,
  reason: RekeyReason,
): Promise<void> {
  if (mesh.rekeyReason !== null) return;
  const { epoch } = mesh;
  await broker.ledger.append({
    mesh,
    statements: [requireRekey(mesh.id, reason)],
    audits: [{ event: "rekey_needed", actor: null, payload: { epoch, reason } }],
  });
  announceRekey(broker, mesh, reason);
}

/** The same after a commit of the caller's own that held `requireRekey`: in memory, and to who is online. */
export function announceRekey(
  broker: Pick<BrokerContext, "events">,
  mesh: Mesh,
  reason: RekeyReason,
): void {
  if (mesh.rekeyReason !== null) return;
  mesh.rekeyReason = reason;
  broker.events.toAdmins(mesh, meshKeyEvents.rekeyNeeded, { epoch: mesh.epoch, reason });
}
