/**
 * What a member lets another do (reference protocol 5.5): its grants for the other's member key,
 * else the defaults.
 */
import { type Capability, DEFAULT_CAPABILITIES } from "../api/fields.ts";
import type { Member, Mesh } from "./model.ts";
import { isActive } from "./targets.ts";

/** Returns whether `recipient` grants `sender` a capability; an empty list grants nothing. */
export function isGranted(
  recipient: Pick<Member, "grants">,
  sender: Pick<Member, "pubkey">,
  capability: Capability,
): boolean {
  // Most members never grant or block anybody; this runs for every delivery.
  if (recipient.grants.size === 0) return DEFAULT_CAPABILITIES.includes(capability);
  return (recipient.grants.get(sender.pubkey) ?? DEFAULT_CAPABILITIES).includes(capability);
}

/** Returns the capability that a message to this target needs. */
export function neededCapability(targetSpec: string): "dm" | "broadcast" {
  return targetSpec === "*" || targetSpec.startsWith("@") ? "broadcast" : "dm";
}

/**
 * Returns whether `member` may use what another shared: as that one grants it. Owners and admins always may, and where
 * who shared it is gone, nobody is asked.
 */
export function mayUse(
  mesh: Mesh,
  member: Member,
  ownerMemberId: string,
  capability: Capability,
): boolean {
  if (ownerMemberId === member.id || member.role !== "member") return true;
  const owner = mesh.membersById.get(ownerMemberId);
  return owner === undefined || !isActive(owner) || isGranted(owner, member, capability);
}
