/**
 * Which member an owner or admin means: the full key or the exact display name, never a part of either (D87).
 */
import { MeshError } from "../api/errors.ts";
import type { Member, Mesh } from "./model.ts";

const KEY = /^[0-9a-f]{64}$/i;
const MAX_CANDIDATES = 10;

/**
 * Finds the one member that `counts` and has this key or display name (in any case).
 * @throws {MeshError} `not_found`, or `ambiguous_target` with the candidates.
 */
export function namedMember(
  mesh: Mesh,
  target: string,
  counts: (member: Member) => boolean,
): Member {
  const wanted = target.toLowerCase();
  const found = KEY.test(target)
    ? [mesh.membersByPubkey.get(wanted)].filter((member) => member !== undefined).filter(counts)
    : [...mesh.membersById.values()].filter((member) =>
      counts(member) && member.displayName.toLowerCase() === wanted
    );
  const [only, ...others] = found;
  if (only === undefined) {
    throw new MeshError(
      "not_found",
      `no member here is called "${target}"; give the exact name or the full key`,
    );
  }
  if (others.length === 0) return only;
  const candidates = found.slice(0, MAX_CANDIDATES).map((member) =>
    `${member.displayName} (${member.pubkey.slice(0, 12)})`
  );
  throw new MeshError(
    "ambiguous_target",
    `"${target}" may be ${candidates.join(" or ")}; use the full key`,
    { data: { candidates } },
  );
}
