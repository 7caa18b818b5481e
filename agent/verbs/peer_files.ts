/**
 * Verbs for files on the disks of peers: share folders of this one, look into theirs.
 */
import { localPath } from "../core/files/local_path.ts";
import { LocalError } from "../core/local_error.ts";
import type { LocalSharedFolder, PeerFileRead } from "../core/file_types.ts";
import { sizeText } from "../core/size_text.ts";
import { marks, printable, printableText, style } from "../ui/style.ts";
import { relativeTime, table } from "../ui/text.ts";
import { followTransfer } from "./file_transfer.ts";
import { MESH_FLAG, meshOption, textArgument, textFlag, type Verb } from "./verb.ts";

const PEER = { name: "peer", summary: "display name or key", required: true };

function folderData({ mesh, path, name, sharedAt }: LocalSharedFolder) {
  return { mesh, path, name, shared_at: sharedAt };
}

export const share: Verb = {
  path: "share",
  summary: "Let members with file-read read a folder of this machine",
  details:
    "Nothing is uploaded: who was granted file-read asks this machine's agent, while it runs. Hidden files, keys,\n" +
    ".env, .git and node_modules are never served, nor anything that a link leads to outside of the folder.\n" +
    "To share one file with everybody, use `claudemesh file share`; to invite somebody, `claudemesh invite`.",
  args: [{ name: "folder", summary: "the folder", required: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh share ./docs", "claudemesh share ~/project/logs --mesh team"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const path = localPath(textArgument(context, 0));
    const folder = await client.call("folder.share", { ...meshOption(context), path });
    return {
      data: folderData(folder),
      text: `${marks.done()} ${printable(folder.path)} is shared in ${printable(folder.mesh)} as ${
        style.bold(printable(folder.name))
      }\n  ${style.dim("Who may read it: claudemesh grant NAME file-read")}`,
    };
  },
};

export const unshare: Verb = {
  path: "unshare",
  summary: "Let nobody read a folder of this machine any more",
  args: [{ name: "folder", summary: "its path, or the name that peers know", required: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh unshare ./docs"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const wanted = textArgument(context, 0);
    const { folders } = await client.call("folder.list", meshOption(context));
    const path = folders.some(({ name }) => name === wanted) ? wanted : localPath(wanted);
    const folder = await client.call("folder.unshare", { ...meshOption(context), path });
    return {
      data: folderData(folder),
      text: `${marks.done()} ${printable(folder.path)} is no longer shared in ${
        printable(folder.mesh)
      }`,
    };
  },
};

export const shares: Verb = {
  path: "shares",
  summary: "List the folders of this machine that members may read",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh shares", "claudemesh shares --json"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { folders } = await client.call("folder.list", meshOption(context));
    const nowMs = Date.now();
    return {
      data: { folders: folders.map(folderData) },
      text: folders.length === 0 ? "  No folder is shared." : table(folders.map((folder) => [
        printable(folder.mesh),
        style.bold(printable(folder.name)),
        printable(folder.path),
        style.dim(relativeTime(Date.parse(folder.sharedAt), nowMs)),
      ])),
    };
  },
};

export const fileBrowse: Verb = {
  path: "file browse",
  summary: "List what a peer shares from its disk",
  args: [PEER, { name: "folder", summary: "one of its folders", required: false }],
  flags: [MESH_FLAG, { syntax: "--pattern <pattern>", summary: "names that match, with * and ?" }],
  examples: ["claudemesh file browse Ada", "claudemesh file browse Ada docs --pattern '*.md'"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const folder = context.args[1];
    const pattern = textFlag(context, "pattern");
    const listing = await client.call("peerFile.list", {
      ...meshOption(context),
      peer: textArgument(context, 0),
      ...(typeof folder === "string" ? { path: folder } : {}),
      ...(pattern === undefined ? {} : { pattern }),
    });
    const { mesh, from, entries, truncated } = listing;
    const rows = entries.map(({ path, sizeBytes }) =>
      sizeBytes === null ? [`${printable(path)}/`, ""] : [printable(path), sizeText(sizeBytes)]
    );
    const more = truncated ? `\n  ${style.dim("there is more: name a folder or a pattern")}` : "";
    return {
      data: { mesh, from, entries, truncated },
      text: rows.length === 0 ? "  Nothing." : table(rows) + more,
    };
  },
};

export const fileRead: Verb = {
  path: "file read",
  summary: "Read a file from a folder that a peer shares",
  details: "Text is printed; --save-to puts any file on this disk, up to 64 MiB.",
  args: [PEER, { name: "path", summary: "as `file browse` shows it", required: true }],
  flags: [
    MESH_FLAG,
    { syntax: "-o, --save-to <path>", summary: "where to put it; a folder keeps its name" },
    { syntax: "-f, --force", summary: "with --save-to: write over what is there" },
  ],
  examples: [
    "claudemesh file read Ada docs/plan.md",
    "claudemesh file read Ada logs/app.log --save-to ./",
  ],
  json: true,
  async run(context) {
    const client = await context.agent();
    const asked = {
      ...meshOption(context),
      peer: textArgument(context, 0),
      path: textArgument(context, 1),
    };
    const saveTo = textFlag(context, "saveTo");
    if (saveTo === undefined) {
      const read = await client.call("peerFile.read", asked);
      return { data: shownFile(read), text: printableText(textOf(read)) };
    }
    const force = context.flags.force === true;
    const { mesh, result } = await followTransfer(
      context,
      client,
      (waitMs) =>
        client.call("peerFile.get", { ...asked, saveTo: localPath(saveTo), force, waitMs }),
    );
    const { path, sizeBytes, from } = result;
    return {
      data: { mesh, from, path, size_bytes: sizeBytes },
      text: `${marks.done()} ${printable(path)} (${sizeText(sizeBytes)}) from ${
        printable(from ?? "")
      }`,
    };
  },
};

function shownFile(read: PeerFileRead) {
  const { mesh, from, path, sizeBytes, localPath: local_path } = read;
  return { mesh, from, path, size_bytes: sizeBytes, local_path, content: textOf(read) };
}

/** The whole of a text file. @throws {LocalError} `invalid_file` for what is none, or too long to be printed. */
function textOf({ path, sizeBytes, nextOffset, content }: PeerFileRead): string {
  const hint = "put it on this disk: --save-to ./";
  if (nextOffset !== null) {
    throw new LocalError("invalid_file", `"${path}" has ${sizeText(sizeBytes)}`, { hint });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(content));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new LocalError("invalid_file", `"${path}" is no text`, { hint });
  }
}
