/**
 * Which groups a session is in. A session that returns gets them back, so they are stored before they are acknowledged.
 */
import { storePeerStates } from "../../storage/sql/queries/peer_state.ts";
import { MeshError } from "../api/errors.ts";
import type { Group } from "../api/fields.ts";
import type { groups as contract } from "../api/groups.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { peerStateRow } from "../core/session_rows.ts";

export const groups: Handlers<typeof contract, Call> = {
  async joinGroup(call, { name, role }) {
    const { connection: { session }, broker: { settings: { limits } } } = call;
    const joined = role === undefined ? { name } : { name, role };
    const others = session.groups.filter((each) => !sameGroup(each, name));
    if (others.length >= limits.groups) {
      throw new MeshError("limit", `a session is in at most ${limits.groups} groups; leave one`, {
        data: { limit: limits.groups },
      });
    }
    return await store(call, "group_joined", name, [...others, joined]);
  },

  async leaveGroup(call, { name }) {
    const { groups } = call.connection.session;
    const others = groups.filter((each) => !sameGroup(each, name));
    if (others.length === groups.length) {
      throw new MeshError("not_found", `this session is not in the group "${name}"`);
    }
    return await store(call, "group_left", name, others);
  },
};

function sameGroup(group: Group, name: string): boolean {
  return group.name.toLowerCase() === name.toLowerCase();
}

async function store(
  { broker, connection: { session, member, mesh } }: Call,
  event: string,
  name: string,
  groups: Group[],
): Promise<{ groups: Group[] }> {
  const before = session.groups;
  // At once: whoever writes the session while this commit is under way must not write the old ones behind it.
  session.groups = groups;
  try {
    await broker.ledger.append({
      mesh,
      statements: [storePeerStates(mesh.id, [peerStateRow(session)])],
      audits: [{ event, actor: member, payload: { group: name, sessionId: session.id } }],
    });
  } catch (error) {
    if (session.groups === groups) session.groups = before;
    throw error;
  } finally {
    broker.sessions.changed(session);
  }
  // Which sessions a held group message waits for depends on who is in the group.
  broker.delivery.drain(member);
  return { groups };
}
