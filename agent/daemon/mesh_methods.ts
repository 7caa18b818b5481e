/**
 * Local methods that act in a mesh: operations by their frame type, names, invites, keys, the outbox, leaving.
 */
import { presence } from "../../broker/api/presence.ts";
import { callByWire } from "../core/call_by_wire.ts";
import { summarizeError } from "../core/local_error.ts";
import type { LocalMessage, PingResult } from "../core/local_types.ts";
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import type { Agent, LocalHandlers } from "./local_method_context.ts";

const PING_TIMEOUT_MS = 10_000;

export const meshMethods: LocalHandlers<
  | "call"
  | "resolve"
  | "outbox.list"
  | "outbox.dismiss"
  | "invite.create"
  | "key.handOver"
  | "ping"
  | "mesh.reconnect"
  | "mesh.leave"
> = {
  async call({ agent }, { mesh, wire, input, sessionId, every, timeoutMs }) {
    const among = sessionId === undefined ? null : agent.sessions.get(sessionId)?.meshes ?? null;
    const several = every === true && mesh === undefined && agent.meshes.peers(among).length > 1;
    const peers = several ? agent.meshes.peers(among) : [agent.meshes.choose(mesh, among)];
    const isAttached = sessionId !== undefined && agent.sessions.get(sessionId) !== undefined;
    const options = {
      ...(isAttached ? { sessionId: agent.sessions.get(sessionId)!.sessionId } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    const results = peers.map(async (peer) => {
      const { slug } = peer.mesh;
      try {
        const output = await callByWire(peer, wire, input, options);
        return { mesh: slug, ok: true as const, output };
      } catch (error) {
        return { mesh: slug, ok: false as const, error: summarizeError(error) };
      }
    });
    return { results: await Promise.all(results) };
  },

  async resolve({ agent }, { mesh, to }) {
    const peer = agent.meshes.choose(mesh);
    return { ...await peer.resolve(to), mesh: peer.mesh.slug };
  },

  "outbox.list"({ agent }, { mesh }) {
    const messages = chosen(agent, mesh)
      .flatMap((peer) => peer.outbox().map((each) => ({ ...each, mesh: peer.mesh.slug })));
    return { messages };
  },

  "outbox.dismiss"({ agent }, { mesh, ids }) {
    const counts = chosen(agent, mesh).map((peer) => peer.dismiss(ids));
    return { dismissed: counts.reduce((sum, count) => sum + count, 0) };
  },

  async "invite.create"({ agent }, { mesh, role, uses, expiresInMs, groups }) {
    return await agent.meshes.choose(mesh).createInvite({
      role,
      uses,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(groups === undefined ? {} : { groups }),
    });
  },

  "key.handOver": async ({ agent }, { mesh, member }) =>
    await agent.meshes.choose(mesh).handOver(member),

  async ping({ agent }, { mesh, priorities, sessionId }) {
    const among = sessionId === undefined ? null : agent.sessions.get(sessionId)?.meshes ?? null;
    const peers = mesh === undefined ? agent.meshes.peers(among) : [agent.meshes.choose(mesh)];
    // Says why when there is nothing to ping.
    if (peers.length === 0) agent.meshes.choose(undefined, among);
    const results = peers.map((peer) => pingMesh(agent, peer, priorities, sessionId));
    return { results: await Promise.all(results) };
  },

  "mesh.reconnect"({ agent }, { mesh }) {
    const peers = chosen(agent, mesh);
    for (const peer of peers) peer.reconnect();
    return { meshes: peers.map((peer) => peer.mesh.slug) };
  },

  async "mesh.leave"({ agent }, { mesh, onlyHere }) {
    const peer = agent.meshes.choose(mesh);
    const { meshId, slug } = peer.mesh;
    if (!onlyHere) await callByWire(peer, "leave_mesh", {});
    await agent.meshes.remove(meshId);
    agent.home.forgetMesh(meshId);
    agent.log.info("mesh_left", { mesh: meshId });
    return { mesh: slug };
  },
};

function chosen(agent: Agent, mesh: string | undefined): MeshPeerApi[] {
  return mesh === undefined ? agent.meshes.peers() : [agent.meshes.choose(mesh)];
}

async function pingMesh(
  agent: Agent,
  peer: MeshPeerApi,
  priorities: readonly LocalMessage["priority"][],
  sessionId: string | undefined,
): Promise<PingResult> {
  const session = sessionId === undefined ? undefined : agent.sessions.get(sessionId);
  const status = session?.activity.status ?? null;
  const { connected, reason, unseen } = peer.state;
  const base = { mesh: peer.mesh.slug, connected, reason, status, unseen };
  if (!connected) return { ...base, peers: null, linkMs: null, rounds: [] };
  // Answered from the broker's memory: what is left of a round is its store's and the push's.
  const { peers } = await peer.call(presence.listPeers, {});
  const askedAt = performance.now();
  await peer.call(presence.listPeers, {});
  const linkMs = performance.now() - askedAt;
  const rounds = await peer.ping(priorities, PING_TIMEOUT_MS);
  return {
    ...base,
    peers: peers.length,
    linkMs: rounded(linkMs),
    rounds: rounds.map(({ priority, committedMs, deliveredMs }) => ({
      priority,
      ackMs: rounded(committedMs),
      commitMs: rounded(hop(committedMs, linkMs)),
      arrivalMs: rounded(deliveredMs),
      pushMs: rounded(hop(deliveredMs, committedMs)),
      warning: warningOf(priority, status, deliveredMs),
    })),
  };
}

/** What a later moment took beyond an earlier one; the broker may push before it answers. */
function hop(laterMs: number | null, earlierMs: number | null): number | null {
  return laterMs === null || earlierMs === null ? null : Math.max(0, laterMs - earlierMs);
}

/** To a tenth of a millisecond: more is noise. */
function rounded(timeMs: number | null): number | null {
  return timeMs === null ? null : Math.round(timeMs * 10) / 10;
}

function warningOf(
  priority: LocalMessage["priority"],
  status: string | null,
  deliveredMs: number | null,
): string | null {
  if (priority === "low") return "low is never pushed into a turn: check_messages reads it";
  const busy = status === "working" || status === "dnd";
  if (priority === "next" && busy) {
    return `next is held while the status is ${status}, at most ten minutes`;
  }
  return deliveredMs === null ? "the message did not come back in time" : null;
}
