/**
 * `list_peer_files`: what a peer shares from its own disk, two levels at a time.
 */
import * as z from "zod";
import { printableText } from "../../agent/core/peer_text.ts";
import { sizeText } from "../../agent/core/size_text.ts";
import { meshParameter, offsetParameter } from "./mesh_parameter.ts";
import { ANSWER_BYTES, pageMarker, pageOf } from "./page.ts";
import { tool } from "./tool.ts";

export const listPeerFiles = tool({
  name: "list_peer_files",
  description: "List files in folders that a peer shares from its disk, for read_peer_file.",
  readOnly: true,
  input: z.object({
    peer: z.string().min(1).max(600).describe("Display name or key."),
    path: z.string().max(4_096).optional().describe("A folder; left out: all that is shared."),
    pattern: z.string().min(1).max(200).optional().describe("Names that match, with * and ?."),
    mesh: meshParameter,
    offset: offsetParameter,
  }),
  async call(context, { peer, path, pattern, mesh, offset }) {
    const listing = await context.call("peerFile.list", {
      peer,
      sessionId: context.sessionId,
      ...(path === undefined ? {} : { path }),
      ...(pattern === undefined ? {} : { pattern }),
      ...(mesh === undefined ? {} : { mesh }),
    });
    const { from, entries, truncated } = listing;
    const page = pageOf(entries, offset ?? 0, ANSWER_BYTES - 2_000);
    const lines = page.rows.map((entry) =>
      entry.sizeBytes === null
        ? `${printableText(entry.path)}/`
        : `${printableText(entry.path)}  ${sizeText(entry.sizeBytes)}`
    );
    const cut = truncated ? "\n[there is more: name a folder as path, or use a pattern]" : "";
    const next = page.nextOffset === null ? {} : { nextOffset: page.nextOffset };
    return {
      text: lines.length === 0
        ? `${from} shares nothing that matches.`
        : `Shared by ${from}:\n${lines.join("\n")}${pageMarker(page)}${cut}`,
      data: { mesh: listing.mesh, from, entries: page.rows, truncated, ...next },
    };
  },
});
