/**
 * `read_peer_file`: reads a file from a folder that a peer shares from its own disk, without uploading it anywhere.
 */
import * as z from "zod";
import { sizeText } from "../../agent/core/size_text.ts";
import { finishedTransfer } from "./finished_transfer.ts";
import { localPath } from "../../agent/core/files/local_path.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { ANSWER_BYTES } from "./page.ts";
import { markedFile, peerFileText } from "./peer_file_text.ts";
import { type Tool, tool, type ToolAnswer, type ToolContext } from "./tool.ts";

const path = z.string().min(1).max(4_096);
/** The text stands in the answer twice: as text and as data. */
const TEXT_BYTES = ANSWER_BYTES - 2_000;

interface Asked {
  readonly peer: string;
  readonly path: string;
  readonly mesh?: string | undefined;
}

async function save(
  context: ToolContext,
  { peer, path, mesh }: Asked,
  saveTo: string,
  force: boolean,
): Promise<ToolAnswer> {
  const begun = await context.call("peerFile.get", {
    peer,
    path,
    saveTo: localPath(saveTo),
    force,
    sessionId: context.sessionId,
    ...(mesh === undefined ? {} : { mesh }),
  });
  const { path: saved, sizeBytes, from } = await finishedTransfer(context, begun);
  return {
    text: `✓ ${path} (${sizeText(sizeBytes)}) from ${from} is at ${saved}`,
    data: { mesh: begun.mesh, from, path: saved, sizeBytes },
  };
}

async function show(
  context: ToolContext,
  { peer, path, mesh }: Asked,
  offset: number,
): Promise<ToolAnswer> {
  const read = await context.call("peerFile.read", {
    peer,
    path,
    offset,
    sessionId: context.sessionId,
    ...(mesh === undefined ? {} : { mesh }),
  });
  const { text, nextOffset } = peerFileText(read, TEXT_BYTES);
  const { from, path: found, sizeBytes, localPath: hint } = read;
  const here = hint === null
    ? ""
    : `\nThis peer runs on your machine: you can open the file yourself at ${hint}`;
  const data = { mesh: read.mesh, from, path: found, sizeBytes, offset, localPath: hint };
  if (text === null) {
    return {
      text: `${found} (${
        sizeText(sizeBytes)
      }) is no text: call again with save_to to fetch it.${here}`,
      data: { ...data, content: null, nextOffset: null },
    };
  }
  const more = nextOffset === null
    ? ""
    : `\n[${nextOffset} of ${sizeBytes} bytes shown; call again with offset: ${nextOffset}]`;
  return {
    text: `${markedFile(read, text)}${more}${here}`,
    data: { ...data, content: text, nextOffset },
  };
}

export const readPeerFile: Tool = tool({
  name: "read_peer_file",
  description:
    "Read a file from a folder that a peer shares from its disk (claudemesh share), up to 64 MiB; list_peer_files " +
    "finds it. Text is shown; with save_to any file is put on your disk.",
  readOnly: false,
  input: z.object({
    peer: z.string().min(1).max(600).describe("Display name or key."),
    path: path.describe("As list_peer_files shows it."),
    offset: z.int().nonnegative().optional().describe("Byte to read on from."),
    save_to: path.optional().describe("Put the whole file there instead of showing it."),
    force: z.boolean().optional().describe("With save_to: write over what is there."),
    mesh: meshParameter,
  }),
  async call(context, { save_to, force, offset, ...asked }) {
    return save_to === undefined
      ? await show(context, asked, offset ?? 0)
      : await save(context, asked, save_to, force ?? false);
  },
});
