/**
 * Whom a target means (CONTRACTS 3.3, reference protocol 5.1): a member, a session's member, a
 * group or everybody.
 */
import { MeshError } from "../api/errors.ts";
import { type Group, groupName } from "../api/fields.ts";
import { isListed } from "./listing.ts";
import type { Member, Mesh, Session } from "./model.ts";

const KEY = /^[0-9a-f]{64}$/i;
/** As many candidates as an error names. */
const MAX_CANDIDATES = 10;

export interface Resolution {
  /** True for `*`, `@all` and `@group`. */
  readonly multicast: boolean;
  readonly recipients: readonly Member[];
}

/**
 * Finds the recipients of a target.
 * @throws {MeshError} `not_found`, `ambiguous_target` with candidates, or `invalid_argument` for a
 * malformed group.
 */
export function resolveTarget(mesh: Mesh, sender: Member, targetSpec: string): Resolution {
  const wanted = targetSpec.toLowerCase();
  if (wanted === "*" || wanted === "@all") {
    return { multicast: true, recipients: reachable(mesh, sender, () => true) };
  }
  if (wanted.startsWith("@")) {
    return { multicast: true, recipients: groupMembers(mesh, sender, wanted.slice(1)) };
  }
  const member = KEY.test(wanted) ? memberByKey(mesh, wanted) : memberByName(mesh, wanted);
  return { multicast: false, recipients: [member] };
}

/** Returns whether a member still belongs to its mesh. */
export function isActive(member: Member): boolean {
  return member.leftAtMs === null && member.revokedAtMs === null;
}

/** Returns whether one of `groups` is `wanted` (lower case) or lies below it. */
export function isInGroup(groups: readonly Group[], wanted: string): boolean {
  for (const { name } of groups) {
    if (name.length < wanted.length) continue;
    const lower = name.toLowerCase();
    if (lower === wanted || (lower.startsWith(wanted) && lower[wanted.length] === "/")) return true;
  }
  return false;
}

/**
 * Returns whether a member is in a group by its defaults or by any session that is not forgotten.
 */
function belongsTo(member: Member, wanted: string): boolean {
  if (isInGroup(member.defaultGroups, wanted)) return true;
  for (const session of member.sessions.values()) {
    if (isInGroup(session.groups, wanted)) return true;
  }
  return false;
}

/** A member that shows none of its sessions is left out of what goes to many. */
function isHidden(member: Member): boolean {
  let hidden = false;
  for (const session of member.sessions.values()) {
    // The agent's own connection shows nothing while a session of its member does.
    if (!isListed(session)) continue;
    if (session.visible) return false;
    hidden = true;
  }
  return hidden;
}

function reachable(mesh: Mesh, sender: Member, chosen: (member: Member) => boolean): Member[] {
  const found: Member[] = [];
  for (const member of mesh.membersById.values()) {
    if (member !== sender && isActive(member) && chosen(member) && !isHidden(member)) {
      found.push(member);
    }
  }
  return found;
}

function groupMembers(mesh: Mesh, sender: Member, wanted: string): Member[] {
  if (!groupName.safeParse(wanted).success) {
    throw new MeshError("invalid_argument", `"@${wanted}" is not a group name`, {
      data: { field: "targetSpec" },
    });
  }
  const found = reachable(mesh, sender, (member) => belongsTo(member, wanted));
  if (found.length > 0) return found;
  for (const member of mesh.membersById.values()) {
    if (isActive(member) && belongsTo(member, wanted)) return [];
  }
  throw new MeshError("not_found", `Nobody is in the group "@${wanted}"; see the groups of peers`);
}

function memberByKey(mesh: Mesh, key: string): Member {
  const member = mesh.membersByPubkey.get(key);
  if (member !== undefined && isActive(member)) return member;
  for (const other of mesh.membersById.values()) {
    if (!isActive(other)) continue;
    for (const session of other.sessions.values()) if (session.pubkey === key) return other;
  }
  throw new MeshError("not_found", `No member or session has the key ${key.slice(0, 12)}...`);
}

function memberByName(mesh: Mesh, wanted: string): Member {
  const present = named(mesh, wanted, (session) => session.presence !== "remembered");
  // A session that is gone still names its member, as long as nobody present bears the name.
  const found = present.length > 0 ? present : named(mesh, wanted, () => true);
  const [only] = found;
  if (only === undefined) {
    throw new MeshError("not_found", `No member or session is called "${wanted}"; list the peers`);
  }
  if (found.length === 1) return only;
  const candidates = found.slice(0, MAX_CANDIDATES).map((member) =>
    `${member.displayName} (${member.pubkey.slice(0, 12)})`
  );
  throw new MeshError(
    "ambiguous_target",
    `"${wanted}" may be ${candidates.join(" or ")}; use the key`,
    { data: { candidates } },
  );
}

function named(mesh: Mesh, wanted: string, counts: (session: Session) => boolean): Member[] {
  const found: Member[] = [];
  for (const member of mesh.membersById.values()) {
    if (!isActive(member)) continue;
    const bearsIt = isName(member.displayName, wanted) ||
      [...member.sessions.values()].some((session) =>
        isName(session.displayName, wanted) && counts(session)
      );
    if (bearsIt) found.push(member);
  }
  return found;
}

function isName(name: string, wanted: string): boolean {
  return name.length === wanted.length && name.toLowerCase() === wanted;
}
