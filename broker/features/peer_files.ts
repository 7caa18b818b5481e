/**
 * The relay of peer files: finds the asked agent, checks that its member lets the asking one read, and hands encrypted
 * requests and answers on.
 */
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import type { peerFiles as contract } from "../api/peer_files.ts";
import type { Call } from "../core/context.ts";
import { isGranted } from "../core/grants.ts";
import type { Connection, Member, Mesh } from "../core/model.ts";
import { resolveTarget } from "../core/targets.ts";

export const peerFiles: Handlers<typeof contract, Call> = {
  peerFileRequest({ broker, connection }, { targetPubkey, requestId, sealed }) {
    const { mesh, member } = connection;
    const asked = askedMember(mesh, member, targetPubkey);
    if (asked !== member && !isGranted(asked, member, "file-read")) {
      return Promise.reject(
        new MeshError(
          "forbidden",
          `${asked.displayName} does not let you read its files; ask for ` +
            `\`claudemesh grant "${member.displayName}" file-read\``,
        ),
      );
    }
    broker.peerFiles.ask(connection, outletOf(asked, targetPubkey), requestId, sealed);
    return Promise.resolve({
      requestId,
      targetPubkey: asked.pubkey,
      timeoutMs: broker.settings.limits.peerFileMs,
    });
  },

  peerFileResponse({ broker, connection }, { requesterPubkey, requestId, sealed, error }) {
    if ((sealed === undefined) === (error === undefined)) {
      throw new MeshError("invalid_argument", "give either sealed or error", {
        data: { field: "sealed" },
      });
    }
    const requester = connection.mesh.membersByPubkey.get(requesterPubkey);
    const answer = sealed === undefined ? { error: error ?? "refused" } : { sealed };
    if (!broker.peerFiles.answer(connection, requester, requestId, answer)) {
      throw new MeshError("not_found", `nobody waits for an answer to "${requestId}"`);
    }
    return Promise.resolve({ requestId });
  },
};

/** The member behind a member or session key. @throws {MeshError} `not_found`. */
function askedMember(mesh: Mesh, asking: Member, key: string): Member {
  const [member] = resolveTarget(mesh, asking, key).recipients;
  if (member === undefined) throw new MeshError("not_found", "no member has this key");
  return member;
}

/**
 * The connection to ask: the agent's own, else that of the session which the key names, else any.
 * @throws {MeshError} `not_found` when the member is not connected.
 */
function outletOf(asked: Member, key: string): Connection {
  const open: Connection[] = [];
  for (const { connection } of asked.sessions.values()) {
    if (connection?.open) open.push(connection);
  }
  const chosen = open.find(({ session }) => session.peerRole === "control-plane") ??
    open.find(({ session }) => session.pubkey === key) ?? open[0];
  if (chosen !== undefined) return chosen;
  throw new MeshError(
    "not_found",
    `${asked.displayName} is not connected; its files can be read while its agent runs`,
  );
}
