/**
 * The local method by which a client watches a stream: one subscription of the agent's own for all clients that watch it,
 * which ends with the last of them.
 */
import type { MeshPeerApi } from "../core/mesh_peer_api.ts";
import type { Agent, LocalHandlers } from "./local_method_context.ts";

/** What a connection's `streams` holds for a stream of a mesh. */
export function streamKey(meshId: string, stream: string): string {
  return `${meshId} ${stream}`;
}

export const streamMethods: LocalHandlers<"stream.watch"> = {
  async "stream.watch"({ agent, connection }, { mesh, stream }) {
    const peer = agent.meshes.choose(mesh);
    const key = streamKey(peer.mesh.meshId, stream);
    const isNew = !connection.streams.has(key);
    // First, so that no event between the answer and here is missed.
    connection.streams.add(key);
    try {
      const position = await peer.followStream(stream);
      if (isNew) void connection.gone.then(() => end(agent, peer, key, stream));
      return { ...position, mesh: peer.mesh.slug };
    } catch (error) {
      if (isNew) connection.streams.delete(key);
      throw error;
    }
  },
};

/** The connection is gone: nothing is followed for nobody. */
async function end(agent: Agent, peer: MeshPeerApi, key: string, stream: string): Promise<void> {
  for (const { streams } of agent.connections()) if (streams.has(key)) return;
  try {
    await peer.unfollowStream(stream);
  } catch {
    // The peer has been stopped meanwhile, and follows nothing any more.
  }
}
