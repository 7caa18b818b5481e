/**
 * Local methods about files: sharing and fetching, peers' files, the folders that peers may read.
 */
import type { LocalSharedFolder, TransferResult } from "../core/file_types.ts";
import type { Progress } from "../core/files/transfer.ts";
import { LocalError } from "../core/local_error.ts";
import type { MeshPeerApi, ResolvedTarget } from "../core/mesh_peer_api.ts";
import type { Agent, LocalHandlers, MethodContext } from "./local_method_context.ts";
import { findAddressee } from "./send_method.ts";
import type { TransferJob } from "./transfers.ts";

interface Choice {
  readonly mesh?: string | undefined;
  readonly sessionId?: string | undefined;
}

export const fileMethods: LocalHandlers<
  | "file.share"
  | "file.get"
  | "file.transfer"
  | "file.cancel"
  | "file.grant"
  | "peerFile.read"
  | "peerFile.get"
  | "peerFile.list"
  | "folder.share"
  | "folder.unshare"
  | "folder.list"
> = {
  async "file.share"(context, params) {
    const { path, name, tags, expiresInMs, waitMs } = params;
    const { peer, to } = await addressees(context.agent, params, params.to);
    const request = {
      path,
      to,
      ...(name === undefined ? {} : { name }),
      ...(tags === undefined ? {} : { tags }),
      ...(expiresInMs === undefined ? {} : { persistent: false, expiresInMs }),
    };
    return await run(context, peer, "share", waitMs, async (control) => {
      const { file, sha256, sizeBytes } = await peer.files.share(request, control);
      const { id: fileId, name, sharedWith } = file;
      return { fileId, name, sizeBytes, sha256, path, from: null, sharedWith };
    });
  },

  async "file.get"(context, params) {
    const { fileId, saveTo, force, waitMs } = params;
    const peer = context.agent.meshes.choose(params.mesh, meshesOf(context.agent, params));
    return await run(context, peer, "get", waitMs, async (control) => {
      const fetched = await peer.files.fetch({ fileId, saveTo, force }, control);
      const { name, sizeBytes, sha256, path, from } = fetched;
      return { fileId, name, sizeBytes, sha256, path, from, sharedWith: null };
    });
  },

  "file.transfer": ({ agent, connection }, { transfer, waitMs }) =>
    agent.transfers.wait(transfer, waitMs, connection.gone),

  "file.cancel": ({ agent }, { transfer }) => agent.transfers.cancel(transfer),

  async "file.grant"({ agent }, params) {
    const { peer, to } = await addressees(agent, params, params.to);
    const { fileId } = params;
    const { name, granted } = await peer.files.grant(fileId, to);
    const who = granted.map(({ name, memberKey: pubkey }) => ({ name, pubkey }));
    return { mesh: peer.mesh.slug, fileId, name, granted: who };
  },

  async "peerFile.read"({ agent }, params) {
    const { peer, resolved } = await findAddressee(agent, params, params.peer);
    const read = await peer.files.readPart(resolved.target, params.path, params.offset);
    const { from, part, content, localPath } = read;
    const end = part.offset + content.length;
    return {
      mesh: peer.mesh.slug,
      from: from.name,
      path: part.path,
      sizeBytes: part.sizeBytes,
      offset: part.offset,
      nextOffset: end < part.sizeBytes ? end : null,
      content: content.toBase64(),
      localPath,
    };
  },

  async "peerFile.get"(context, params) {
    const { path, saveTo, force, waitMs } = params;
    const { peer, resolved } = await findAddressee(context.agent, params, params.peer);
    return await run(context, peer, "peer", waitMs, async (control) => {
      const request = { peer: resolved.target, path, saveTo, force };
      const fetched = await peer.files.fetchFromPeer(request, control);
      const { sizeBytes, from } = fetched;
      return {
        fileId: null,
        name: path,
        sizeBytes,
        sha256: null,
        path: fetched.path,
        from,
        sharedWith: null,
      };
    });
  },

  async "peerFile.list"({ agent }, params) {
    const { peer, resolved } = await findAddressee(agent, params, params.peer);
    const { path, pattern } = params;
    const listing = await peer.files.listPeer(resolved.target, path, pattern ?? null);
    const { from, entries, truncated } = listing;
    return { mesh: peer.mesh.slug, from: from.name, entries, truncated };
  },

  async "folder.share"({ agent }, { mesh, path }) {
    const peer = agent.meshes.choose(mesh);
    const folder = await peer.files.folders.add(path, new Date(agent.nowMs()));
    agent.log.info("folder_shared", { mesh: peer.mesh.meshId, folder: folder.path });
    return inMesh(peer, folder);
  },

  async "folder.unshare"({ agent }, { mesh, path }) {
    const peer = agent.meshes.choose(mesh);
    const folder = await peer.files.folders.remove(path);
    agent.log.info("folder_unshared", { mesh: peer.mesh.meshId, folder: folder.path });
    return inMesh(peer, folder);
  },

  "folder.list"({ agent }, { mesh }) {
    const peers = mesh === undefined ? agent.meshes.peers() : [agent.meshes.choose(mesh)];
    const folders = peers.flatMap((peer) =>
      peer.files.folders.all.map((folder) => inMesh(peer, folder))
    );
    return { folders };
  },
};

/** Does a transfer for the calling client and waits for a while for its end. */
async function run(
  { agent, connection }: MethodContext,
  peer: MeshPeerApi,
  kind: TransferJob["kind"],
  waitMs: number,
  work: TransferJob["run"],
) {
  const { slug: mesh, meshId } = peer.mesh;
  const job: TransferJob = {
    mesh,
    kind,
    async run(control) {
      let last: Progress | null = null;
      const onProgress = (progress: Progress) => {
        last = progress;
        control.onProgress(progress);
      };
      try {
        const result: TransferResult = await work({ ...control, onProgress });
        agent.log.info("file_transferred", { mesh: meshId, kind, bytes: result.sizeBytes });
        return result;
      } catch (error) {
        const { code } = error as { code?: unknown };
        const bytes = (last as Progress | null)?.doneBytes ?? 0;
        agent.log.warn("file_not_transferred", { mesh: meshId, kind, bytes, code: String(code) });
        throw error;
      }
    },
  };
  const transfer = agent.transfers.start(job, connection);
  return await agent.transfers.wait(transfer, waitMs, connection.gone);
}

/** Finds the mesh that all of `names` are in, and what they stand for there; of nobody, the chosen mesh. */
async function addressees(
  agent: Agent,
  choice: Choice,
  names: readonly string[],
): Promise<{ peer: MeshPeerApi; to: string[] }> {
  let found: MeshPeerApi | null = null;
  const to: string[] = [];
  for (const name of names) {
    const { peer, resolved }: { peer: MeshPeerApi; resolved: ResolvedTarget } = await findAddressee(
      agent,
      { ...choice, mesh: choice.mesh ?? found?.mesh.slug },
      name,
    );
    if (found !== null && found !== peer) {
      throw new LocalError("invalid_argument", `"${name}" is in another mesh than the others`, {
        hint: "share the file once in each mesh",
      });
    }
    found = peer;
    to.push(resolved.target);
  }
  return { peer: found ?? agent.meshes.choose(choice.mesh, meshesOf(agent, choice)), to };
}

function meshesOf(agent: Agent, { sessionId }: Choice): readonly string[] | null {
  return sessionId === undefined ? null : agent.sessions.get(sessionId)?.meshes ?? null;
}

function inMesh(peer: MeshPeerApi, folder: Omit<LocalSharedFolder, "mesh">): LocalSharedFolder {
  return { ...folder, mesh: peer.mesh.slug };
}
