/**
 * What an invite shows to a person who has its link, before they join.
 */
import type { Custody } from "../../api/fields.ts";
import type { BrokerContext } from "../context.ts";
import { findInvite, requireUses } from "./find_invite.ts";

export interface InviteView {
  readonly code: string;
  readonly meshName: string;
  readonly slug: string;
  readonly inviterName: string;
  readonly role: "admin" | "member";
  readonly expiresAtMs: number;
  readonly maxUses: number;
  readonly usedCount: number;
  readonly custody: Custody;
}

/**
 * Returns what the invite with this code offers.
 * @throws {MeshError} `not_found`, `revoked`, `expired`, `exhausted` or `bad_signature`.
 */
export async function viewInvite(broker: BrokerContext, code: string): Promise<InviteView> {
  const { mesh, invite, inviter } = await findInvite(broker, code);
  requireUses(invite);
  return {
    code,
    meshName: mesh.name,
    slug: mesh.slug,
    inviterName: inviter?.displayName ?? "a member",
    role: invite.role,
    expiresAtMs: invite.expiresAt.getTime(),
    maxUses: invite.maxUses,
    usedCount: invite.usedCount,
    custody: mesh.custody,
  };
}
