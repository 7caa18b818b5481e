/**
 * The joined meshes of this agent: one peer each, kept in step with the configuration, chosen by slug for every call.
 */
import type { AgentHome, JoinedMesh } from "../core/agent_home.ts";
import { LocalError } from "../core/local_error.ts";
import type { MeshState } from "../core/local_types.ts";
import type { MeshPeerApi, PeerEvent } from "../core/mesh_peer_api.ts";

export type MakePeer = (mesh: JoinedMesh) => MeshPeerApi;

/** What happens in a mesh, with the mesh. */
export type MeshListener = (peer: MeshPeerApi, event: PeerEvent) => void;

interface Entry {
  readonly mesh: JoinedMesh;
  readonly peer: MeshPeerApi;
  readonly stopListening: () => void;
}

export class JoinedMeshes {
  readonly #home: AgentHome;
  readonly #makePeer: MakePeer;
  readonly #listener: MeshListener;
  readonly #entries = new Map<string, Entry>();

  constructor(home: AgentHome, makePeer: MakePeer, listener: MeshListener) {
    this.#home = home;
    this.#makePeer = makePeer;
    this.#listener = listener;
  }

  /** Reads the configuration again: starts what is new, stops what is gone. Returns the slugs of all joined meshes. */
  async reload(): Promise<string[]> {
    const wanted = new Map(this.#home.readConfig().meshes.map((mesh) => [mesh.meshId, mesh]));
    for (const [meshId, entry] of [...this.#entries]) {
      const isSame = JSON.stringify(wanted.get(meshId)) === JSON.stringify(entry.peer.mesh);
      if (!isSame) await this.#drop(meshId, entry);
      else if (!entry.peer.state.connected) entry.peer.reconnect();
    }
    for (const mesh of wanted.values()) {
      if (!this.#entries.has(mesh.meshId)) this.#add(mesh);
    }
    return this.slugs();
  }

  slugs(): string[] {
    return [...this.#entries.values()].map((entry) => entry.mesh.slug);
  }

  /** The peers, limited to `slugs` where given. */
  peers(slugs?: readonly string[] | null): MeshPeerApi[] {
    return [...this.#entries.values()]
      .filter((entry) => slugs?.includes(entry.mesh.slug) ?? true)
      .map((entry) => entry.peer);
  }

  /**
   * Returns the peer of `mesh` (slug or id); without it the only one of `among`, else the only joined one.
   * @throws {LocalError} `not_joined`, `not_found` or `mesh_required`.
   */
  choose(mesh: string | undefined, among: readonly string[] | null = null): MeshPeerApi {
    const entries = [...this.#entries.values()];
    if (entries.length === 0) {
      throw new LocalError("not_joined", "No mesh is joined", {
        hint:
          "Make one with `claudemesh new NAME --broker URL`, or join with `claudemesh join LINK`",
      });
    }
    const slugs = entries.map((entry) => entry.mesh.slug);
    if (mesh !== undefined) {
      const named = entries.find(({ mesh: each }) => each.slug === mesh || each.meshId === mesh);
      if (named !== undefined) return named.peer;
      throw new LocalError("not_found", `"${mesh}" is no joined mesh`, {
        hint: `Joined are: ${slugs.join(", ")}`,
        candidates: slugs,
      });
    }
    const eligible = entries.filter((entry) => among?.includes(entry.mesh.slug) ?? true);
    const [only] = eligible;
    if (only !== undefined && eligible.length === 1) return only.peer;
    const candidates = eligible.length === 0 ? slugs : eligible.map((entry) => entry.mesh.slug);
    throw new LocalError("mesh_required", "Several meshes are joined", {
      hint: `Name one: ${candidates.join(", ")}`,
      candidates,
    });
  }

  /** Tries keys and files again that could not be used: somebody may have done what the error said. */
  mend(): void {
    for (const { peer } of this.#entries.values()) peer.mend();
  }

  /** How it stands with each mesh. */
  states(slugs?: readonly string[] | null): MeshState[] {
    return this.peers(slugs).map(stateOf);
  }

  /** Stops the peer of a mesh that was left; its files are the caller's. */
  async remove(meshId: string): Promise<void> {
    const entry = this.#entries.get(meshId);
    if (entry !== undefined) await this.#drop(meshId, entry);
  }

  async stop(): Promise<void> {
    const entries = [...this.#entries];
    await Promise.all(entries.map(([meshId, entry]) => this.#drop(meshId, entry)));
  }

  #add(mesh: JoinedMesh): void {
    const peer = this.#makePeer(mesh);
    const stopListening = peer.on((event) => this.#listener(peer, event));
    this.#entries.set(mesh.meshId, { mesh, peer, stopListening });
    peer.start();
  }

  async #drop(meshId: string, entry: Entry): Promise<void> {
    this.#entries.delete(meshId);
    entry.stopListening();
    await entry.peer.stop();
  }
}

/** How it stands with the mesh of `peer`. */
export function stateOf(peer: MeshPeerApi): MeshState {
  const { meshId, slug, name, memberId, pubkey, displayName, role, custody, brokerUrl } = peer.mesh;
  const mesh = { meshId, slug, name, memberId, pubkey, displayName, role, custody, brokerUrl };
  return { ...peer.state, ...mesh };
}
