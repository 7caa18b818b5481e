/**
 * The members of a mesh, what they let each other do, and what owners and admins do about them. The owner cannot be
 * kicked or banned by anybody.
 */
import {
  clearRevoked,
  markLeft,
  markRevoked,
  requireRekey,
  storeGrants,
} from "../../storage/sql/queries/members.ts";
import { requestForLeftOut } from "../../storage/sql/queries/mesh_keys.ts";
import { endSchedulesOf } from "../../storage/sql/queries/schedules.ts";
import { MeshError } from "../api/errors.ts";
import type { Capability } from "../api/fields.ts";
import type { Member as MemberShown, members as contract } from "../api/members.ts";
import { memberEvents } from "../api/members.ts";
import { meshKeyEvents } from "../api/mesh_keys.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { isPresent } from "../core/listing.ts";
import type { Member } from "../core/model.ts";
import { namedMember } from "../core/named_member.ts";
import { announceRekey } from "../core/rekey.ts";
import { isActive } from "../core/targets.ts";
import { releaseTasksOfGone } from "../core/tasks/task_releases.ts";
import { showOut } from "./member_removal.ts";

/** As many members may have a grant list of their own. */
const MAX_GRANTS = 10_000;

export const members: Handlers<typeof contract, Call> = {
  listMembers({ connection: { mesh } }) {
    const active = [...mesh.membersById.values()].filter(isActive);
    return Promise.resolve({ members: active.map(shown) });
  },

  kick: (call, input) => showOut(call, "kick", input),

  disconnect: (call, input) => showOut(call, "disconnect", input),

  async ban({ broker, connection: { mesh, member: actor } }, { target, reason }) {
    const banned = namedMember(mesh, target, isActive);
    requireNotOwner(banned, "banned");
    requireOther(banned, actor);
    const atMs = broker.clock.now();
    const payload = { memberId: banned.id, ...(reason === undefined ? {} : { reason }) };
    await broker.ledger.append({
      mesh,
      statements: [
        markRevoked(mesh.id, banned.id, atMs),
        endSchedulesOf(mesh.id, banned.id, atMs),
        requireRekey(mesh.id, "member_banned"),
      ],
      audits: [{ event: "member_banned", actor, payload }],
    });
    banned.revokedAtMs = atMs;
    await remove({ broker, member: banned, reason: "banned", code: 4002, why: "banned" });
    announceRekey(broker, mesh, "member_banned");
    return { banned: banned.displayName };
  },

  async unban({ broker, connection: { mesh, member: actor } }, { target }) {
    const member = namedMember(mesh, target, (each) => each.revokedAtMs !== null);
    const waits = member.leftAtMs === null && !member.hasMeshKey;
    await broker.ledger.transact(mesh, async (tx) => {
      const statement = clearRevoked(mesh.id, member.id);
      await tx.query(statement.text, statement.params);
      if (waits) await requestForLeftOut(tx, mesh.id, [member.id], broker.clock.now());
      const audits = [{ event: "member_unbanned", actor, payload: { memberId: member.id } }];
      return { result: null, audits };
    });
    member.revokedAtMs = null;
    if (waits) {
      const { id: memberId, displayName: name } = member;
      // Nobody has vouched for it since: a person decides about the key.
      broker.events.toAdmins(mesh, meshKeyEvents.keyRequested, { memberId, name, proven: false });
    }
    return { unbanned: member.displayName };
  },

  listBans({ connection: { mesh } }) {
    const bans = [];
    for (const { displayName: name, pubkey, revokedAtMs } of mesh.membersById.values()) {
      if (revokedAtMs === null) continue;
      bans.push({ name, pubkey, revokedAt: new Date(revokedAtMs).toISOString() });
    }
    return Promise.resolve({ bans });
  },

  async leaveMesh({ broker, connection: { mesh, member } }) {
    if (member.role === "owner") {
      throw new MeshError("conflict", "the owner cannot leave: nobody could rotate the key then");
    }
    const atMs = broker.clock.now();
    await broker.ledger.append({
      mesh,
      statements: [
        markLeft(mesh.id, member.id, atMs),
        endSchedulesOf(mesh.id, member.id, atMs),
        requireRekey(mesh.id, "member_left"),
      ],
      audits: [{ event: "member_left", actor: member, payload: { memberId: member.id } }],
    });
    member.leftAtMs = atMs;
    // The answer has to go out before the connection that asked is closed.
    broker.clock.after(0, () => {
      remove({ broker, member, reason: "left", code: 1000, why: "left" }).catch((error) =>
        broker.log.error("a member that left still has open deliveries", { error: String(error) })
      );
    });
    announceRekey(broker, mesh, "member_left");
    return { memberId: member.id };
  },

  async setGrants({ broker, connection: { mesh, member } }, { grants }) {
    const next = new Map(member.grants);
    for (const [pubkey, capabilities] of Object.entries(grants)) {
      if (capabilities === null) next.delete(pubkey);
      else if (mesh.membersByPubkey.has(pubkey)) next.set(pubkey, [...new Set(capabilities)]);
      else throw new MeshError("not_found", `no member has the key ${pubkey.slice(0, 12)}...`);
    }
    if (next.size > MAX_GRANTS) {
      throw new MeshError("limit", `at most ${MAX_GRANTS} members may have grants of their own`, {
        data: { limit: MAX_GRANTS },
      });
    }
    await broker.ledger.append({
      mesh,
      statements: [storeGrants(mesh.id, member.id, Object.fromEntries(next))],
      audits: [{ event: "grants_set", actor: member, payload: { of: Object.keys(grants) } }],
    });
    member.grants = next;
    return { grants: shownGrants(next) };
  },

  getGrants({ connection: { member } }) {
    return Promise.resolve({ grants: shownGrants(member.grants) });
  },
};

/** Ends a former member's sessions and deliveries and tells the mesh. */
async function remove(
  { broker, member, reason, code, why }: {
    broker: Call["broker"];
    member: Member;
    reason: "left" | "banned";
    code: number;
    why: string;
  },
): Promise<void> {
  for (const session of [...member.sessions.values()]) broker.sessions.end(session, code, why);
  const { id: memberId, displayName: name, pubkey } = member;
  broker.events.toMesh(member.mesh, memberEvents.memberRemoved, { memberId, name, pubkey, reason });
  await broker.delivery.memberRemoved(member);
  await releaseTasksOfGone(broker, member.mesh, [member], { forGood: true });
}

function requireNotOwner(member: Member, what: string): void {
  if (member.role !== "owner") return;
  throw new MeshError("forbidden", `${member.displayName} owns the mesh and cannot be ${what}`);
}

function requireOther(member: Member, actor: Member): void {
  if (member !== actor) return;
  throw new MeshError("invalid_argument", "this is yourself; leave the mesh instead", {
    data: { field: "target" },
  });
}

function shown(member: Member): MemberShown {
  const present = [...member.sessions.values()].filter(isPresent);
  return {
    memberId: member.id,
    pubkey: member.pubkey,
    displayName: member.displayName,
    role: member.role,
    joinedAt: new Date(member.joinedAtMs).toISOString(),
    lastSeenAt: member.lastSeenAtMs === null ? null : new Date(member.lastSeenAtMs).toISOString(),
    online: present.some((session) => session.presence === "live"),
    sessions: present.filter((session) => session.peerRole === "session").length,
    groups: member.defaultGroups,
    bodyVersion: member.bodyVersion,
    hasMeshKey: member.hasMeshKey,
    proven: member.proven,
  };
}

function shownGrants(grants: Member["grants"]): Record<string, Capability[]> {
  return Object.fromEntries([...grants].map(([pubkey, given]) => [pubkey, [...given]]));
}
