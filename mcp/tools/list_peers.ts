/**
 * `list_peers`: who is here, on one mesh or on all of the session's, and how to reach each.
 */
import { hostname } from "node:os";
import * as z from "zod";
import type { Peer } from "../../broker/api/presence.ts";
import type { CallResult } from "../../agent/core/local_types.ts";
import { printableText } from "../../agent/core/peer_text.ts";
import { offsetParameter } from "./mesh_parameter.ts";
import { ANSWER_BYTES, pageMarker, pageOf } from "./page.ts";
import { tool } from "./tool.ts";
import { errorData, errorLine } from "./tool_error.ts";

interface Row {
  readonly mesh: string;
  readonly peer: Peer;
}

function place(peer: Peer): string {
  if (peer.hostname === undefined) return "";
  return peer.hostname === hostname() ? " local" : " remote";
}

function lineOf({ peer }: Row): string {
  const groups = peer.groups.map(({ name, role }) => `@${name}${role ? `(${role})` : ""}`);
  const kind = [peer.peerType, peer.channel, peer.model].filter((each) => each !== undefined);
  const parts = [
    `${peer.profile?.avatar ? `${peer.profile.avatar} ` : ""}${peer.displayName}`,
    peer.profile?.title === undefined ? "" : `(${peer.profile.title})`,
    `[${peer.status}${peer.online ? "" : ", reconnecting"}]${place(peer)}`,
    peer.visible ? "" : "hidden",
    groups.join(" "),
    kind.join("/"),
    `key ${peer.pubkey.slice(0, 16)}`,
    peer.cwd ?? "",
    peer.summary ? `— ${peer.summary}` : "",
  ];
  return printableText(parts.filter((part) => part !== "").join(" ")).replaceAll("\n", " ");
}

/** What a model needs of a peer; times and counters are left to other tools. */
function shownPeer(peer: Peer): Record<string, unknown> {
  const { pubkey, memberPubkey, displayName, status, summary, groups, online } = peer;
  const { sessionId: _, connectedAt: __, stats: ___, ...rest } = peer;
  return {
    displayName,
    pubkey,
    memberPubkey,
    status,
    online,
    summary,
    groups,
    ...(rest.profile === undefined ? {} : { profile: rest.profile }),
    ...(rest.peerType === undefined ? {} : { peerType: rest.peerType }),
    ...(rest.model === undefined ? {} : { model: rest.model }),
    ...(rest.cwd === undefined ? {} : { cwd: rest.cwd }),
    ...(rest.hostname === undefined ? {} : { local: rest.hostname === hostname() }),
    ...(rest.visible ? {} : { hidden: true }),
  };
}

function rowsOf(results: readonly CallResult[]): Row[] {
  return results.flatMap((result) =>
    result.ok ? (result.output.peers as Peer[]).map((peer) => ({ mesh: result.mesh, peer })) : []
  );
}

export const listPeers = tool({
  name: "list_peers",
  description:
    "Show who is connected now, what each peer is doing and how to reach it, on all joined meshes or one.",
  readOnly: true,
  input: z.object({
    mesh_slug: z.string().max(64).optional().describe("Only this mesh; left out: all joined."),
    offset: offsetParameter,
  }),
  async call(context, { mesh_slug, offset = 0 }) {
    const { results } = await context.call("call", {
      wire: "list_peers",
      sessionId: context.sessionId,
      ...(mesh_slug === undefined ? { every: true } : { mesh: mesh_slug }),
    });
    const page = pageOf(rowsOf(results), offset, ANSWER_BYTES / 2);
    const sections = results.map((result) => {
      if (!result.ok) return `${result.mesh}: not reachable. ${errorLine(result.error)}`;
      const rows = page.rows.filter(({ mesh }) => mesh === result.mesh);
      const total = (result.output.peers as Peer[]).length;
      const count = `${total} peer${total === 1 ? "" : "s"}`;
      return [`${result.mesh}: connected, ${count}`, ...rows.map((row) => `  ${lineOf(row)}`)]
        .join("\n");
    });
    const meshes = results.map((result) =>
      result.ok
        ? {
          mesh: result.mesh,
          connected: true,
          peers: page.rows.filter(({ mesh }) => mesh === result.mesh)
            .map(({ peer }) => shownPeer(peer)),
        }
        : { mesh: result.mesh, connected: false, error: errorData(result.error), peers: [] }
    );
    return {
      text: sections.join("\n") + pageMarker(page),
      data: {
        meshes,
        ...(page.nextOffset === null ? {} : { nextOffset: page.nextOffset, total: page.total }),
      },
      ...(results.every((result) => !result.ok) ? { isError: true } : {}),
    };
  },
});
