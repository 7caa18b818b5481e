/**
 * Finds an invite and says what is wrong with it, in the words of CONTRACTS 4: unknown, revoked, expired, used up.
 */
import { inviteCanonical } from "../../../crypto/invite_v2.ts";
import { verify } from "../../../crypto/sign.ts";
import { findInviteByCode, type InviteRow } from "../../../storage/sql/queries/invites.ts";
import { MeshError } from "../../api/errors.ts";
import type { BrokerContext } from "../context.ts";
import type { Member, Mesh } from "../model.ts";

const CODE = /^[A-Za-z0-9]{6,16}$/;

/** An invite that may be used, with its mesh. */
export interface FoundInvite {
  readonly mesh: Mesh;
  readonly invite: InviteRow;
  /** Who made it; null for an imported invite whose maker is not known. */
  readonly inviter: Member | null;
}

/**
 * Returns the version 2 invite with this code: live, of a mesh that is there, and with the signature it was made with.
 * Its uses are not looked at: only the transaction that counts one can tell.
 * @throws {MeshError} `not_found`, `revoked`, `expired` or `bad_signature`.
 */
export async function findInvite(broker: BrokerContext, code: string): Promise<FoundInvite> {
  const invite = CODE.test(code) ? await findInviteByCode(broker.sql, code) : null;
  const mesh = invite === null ? null : await broker.meshes.find(invite.meshId);
  if (invite === null || mesh === null) {
    throw new MeshError("not_found", "there is no invite with this code; check the link");
  }
  requireLive(invite, mesh, broker.clock.now());
  requireSigned(invite, mesh);
  return { mesh, invite, inviter: inviterOf(invite, mesh) };
}

/**
 * Refuses an invite that was revoked or has expired, and one whose maker may not invite any more.
 * @throws {MeshError} `revoked` or `expired`.
 */
export function requireLive(invite: InviteRow, mesh: Mesh, nowMs: number): void {
  if (invite.revokedAt !== null) {
    throw new MeshError("revoked", "this invite was revoked; ask for a new one");
  }
  const maker = inviterOf(invite, mesh);
  const mayInvite = maker === null ||
    (maker.leftAtMs === null && maker.revokedAtMs === null && maker.role !== "member");
  if (!mayInvite) {
    throw new MeshError("revoked", "whoever made this invite may not invite any more");
  }
  if (invite.expiresAt.getTime() <= nowMs) {
    throw new MeshError("expired", "this invite has expired; ask for a new one");
  }
}

/** Refuses an invite that has no use left, before anything is written. */
export function requireUses(invite: InviteRow): void {
  if (invite.usedCount < invite.maxUses) return;
  throw new MeshError("exhausted", "this invite has no uses left; ask for a new one");
}

function inviterOf(invite: InviteRow, mesh: Mesh): Member | null {
  return invite.createdBy === null ? null : mesh.membersById.get(invite.createdBy) ?? null;
}

/** The row must still say what its maker signed: whoever can write to the store cannot make an admin's invite of it. */
function requireSigned(invite: InviteRow, mesh: Mesh): void {
  const canonical = inviteCanonical({
    meshId: mesh.id,
    inviteId: invite.id,
    expiresAtUnixS: invite.expiresAt.getTime() / 1000,
    role: invite.role,
    ownerPubkey: mesh.ownerPubkey,
  });
  const { signature, inviterPubkey } = invite;
  const good = invite.canonical === canonical && signature !== null && inviterPubkey !== null &&
    mesh.membersByPubkey.has(inviterPubkey) && verify(canonical, signature, inviterPubkey);
  if (!good) {
    throw new MeshError("bad_signature", "this invite is not what its maker signed; do not join");
  }
}
