/**
 * What a member lets another do (reference protocol 5.5): its grants for the other's member key,
 * else the defaults.
 */
import { type Capability, DEFAULT_CAPABILITIES } from "../api/fields.ts";
import type { Member } from "./model.ts";

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
