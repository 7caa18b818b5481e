/**
 * The overview of a mesh, as one of its members sees it.
 */
import type { mesh as contract } from "../api/mesh.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { isListed } from "../core/listing.ts";
import { isActive } from "../core/targets.ts";

export const mesh: Handlers<typeof contract, Call> = {
  meshInfo({ broker, connection: { mesh, member, session } }) {
    const groups = new Map<string, string>();
    let members = 0;
    let peers = 0;
    for (const each of mesh.membersById.values()) {
      if (!isActive(each)) continue;
      members += 1;
      for (const { name } of each.defaultGroups) groups.set(name.toLowerCase(), name);
      for (const other of each.sessions.values()) {
        if (!isListed(other) || (!other.visible && each !== member)) continue;
        peers += 1;
        for (const { name } of other.groups) groups.set(name.toLowerCase(), name);
      }
    }
    return Promise.resolve({
      mesh: mesh.id,
      slug: mesh.slug,
      name: mesh.name,
      createdAt: new Date(mesh.createdAtMs).toISOString(),
      peers,
      members,
      groups: [...groups.values()].sort().map((name) => `@${name}`),
      custody: mesh.custody,
      epoch: mesh.epoch,
      rekeyNeeded: mesh.rekeyReason !== null,
      yourName: session.displayName,
      yourRole: member.role,
      yourGroups: session.groups.map(({ name }) => `@${name}`),
      queued: broker.delivery.openCount(member),
    });
  },

  meshStats({ broker, connection: { mesh } }) {
    const online = new Set([...mesh.connections].map(({ member }) => member));
    const peers = [...mesh.membersById.values()].filter(isActive).map((member) => {
      const { uptimeMs, ...counts } = broker.activity.of(member);
      return {
        name: member.displayName,
        memberId: member.id,
        online: online.has(member),
        ...counts,
        uptimeMinutes: Math.floor(uptimeMs / 60_000),
      };
    });
    peers.sort((a, b) => Number(b.online) - Number(a.online) || (a.name < b.name ? -1 : 1));
    return Promise.resolve({ peers });
  },
};
