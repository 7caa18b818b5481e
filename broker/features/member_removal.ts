/**
 * Kicking and disconnecting: one member by name or key, everybody silent for a while, or everybody. The caller and the
 * owner stay.
 */
import { markKicked, requireRekey } from "../../storage/sql/queries/members.ts";
import { MeshError } from "../api/errors.ts";
import type { members } from "../api/members.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { isPresent } from "../core/listing.ts";
import type { Member } from "../core/model.ts";
import { namedMember } from "../core/named_member.ts";
import { announceRekey } from "../core/rekey.ts";
import { isActive } from "../core/targets.ts";
import { releaseTasksOfGone } from "../core/tasks/task_releases.ts";

export type Exit = "kick" | "disconnect";
type Input = Parameters<Handlers<typeof members, Call>["kick"]>[1];

const EXITS = {
  kick: { event: "member_kicked", code: 4001, reason: "kicked" },
  disconnect: { event: "member_disconnected", code: 1000, reason: "disconnected" },
} as const;

/**
 * Closes the connections of the members that `input` means. A kicked member's program stops by itself, and the mesh key
 * is rotated; a disconnected one comes back by itself.
 * @throws {MeshError} `not_found`, `ambiguous_target`, `forbidden` for the owner, `invalid_argument`.
 */
export async function showOut(call: Call, exit: Exit, input: Input) {
  const { broker, connection: { mesh, member: actor } } = call;
  const affected = meant(call, input);
  if (affected.length === 0) return { kicked: [], affected: [] };
  const { event, code, reason } = EXITS[exit];
  const atMs = broker.clock.now();
  const ids = affected.map((member) => member.id);
  const stale = input.stale === undefined ? {} : { stale: input.stale };
  await broker.ledger.append({
    mesh,
    statements: exit === "kick"
      ? [markKicked(mesh.id, ids, atMs), requireRekey(mesh.id, "member_kicked")]
      : [],
    audits: [{ event, actor, payload: { memberIds: ids, ...stale } }],
  });
  const why = input.stale === undefined ? reason : `${reason}_stale`;
  for (const member of affected) {
    if (exit === "kick") member.kickedAtMs = atMs;
    for (const session of [...member.sessions.values()]) broker.sessions.end(session, code, why);
  }
  if (exit === "kick") {
    announceRekey(broker, mesh, "member_kicked");
    await releaseTasksOfGone(broker, mesh, affected, { forGood: false });
  }
  const names = affected.map((member) => member.displayName);
  return { kicked: names, affected: names };
}

function meant(call: Call, { target, stale, all }: Input): Member[] {
  const { broker, connection: { mesh, member: actor } } = call;
  if ([target, stale, all].filter((given) => given !== undefined).length !== 1) {
    throw new MeshError("invalid_argument", "give exactly one of target, stale and all", {
      data: { field: "target" },
    });
  }
  if (target !== undefined) {
    const member = namedMember(mesh, target, isActive);
    if (member.role === "owner" && member !== actor) {
      throw new MeshError("forbidden", `${member.displayName} owns the mesh and stays`);
    }
    if (member === actor) {
      throw new MeshError("invalid_argument", "this is yourself", { data: { field: "target" } });
    }
    return [member];
  }
  const silentSinceMs = stale === undefined ? Infinity : broker.clock.now() - stale;
  return [...mesh.membersById.values()].filter((member) => {
    if (member === actor || member.role === "owner" || !isActive(member)) return false;
    const present = [...member.sessions.values()].filter(isPresent);
    return present.length > 0 && present.every((each) => each.lastSeenAtMs <= silentSinceMs);
  });
}
