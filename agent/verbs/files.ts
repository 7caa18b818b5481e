/**
 * Verbs for shared files: put one into the mesh, fetch it, see who did, let others in, delete it.
 */
import type { FileView } from "../../broker/api/file_fields.ts";
import type { FileStatus } from "../../broker/api/shared_files.ts";
import { localPath } from "../core/files/local_path.ts";
import { sizeText } from "../core/size_text.ts";
import { marks, printable, style } from "../ui/style.ts";
import { pairs, relativeTime, shortKey, table } from "../ui/text.ts";
import { followTransfer } from "./file_transfer.ts";
import { durationMs } from "./meshes.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import {
  MESH_FLAG,
  meshOption,
  textArgument,
  textFlag,
  type Verb,
  type VerbContext,
} from "./verb.ts";

const ID = { name: "id", summary: "the file's id", required: true };
const FORCE = { syntax: "-f, --force", summary: "write over what is there" };
const MAX_ROWS = 500;
const USUAL_ROWS = 100;

/** "a, b" -> ["a", "b"]. */
function listFlag(context: VerbContext, name: string): string[] {
  const parts = (textFlag(context, name) ?? "").split(",").map((each) => each.trim());
  return parts.filter((each) => each !== "");
}

export const fileShare: Verb = {
  path: "file share",
  summary: "Share a file with the mesh, or with some of its members",
  details:
    "It is encrypted on this machine; the broker sees its name and size. Up to 5 GiB. It stays until it is\n" +
    "deleted, unless --expires says otherwise.",
  args: [{ name: "path", summary: "the file", required: true }],
  flags: [
    MESH_FLAG,
    { syntax: "--to <a,b>", summary: "who may read it; left out: the whole mesh" },
    { syntax: "--name <name>", summary: "what others see, where it is not the file's own name" },
    { syntax: "-t, --tags <a,b>", summary: "words to find it by" },
    { syntax: "--expires <duration>", summary: "when it goes by itself: 90m, 12h, 7d, 2w" },
  ],
  examples: [
    "claudemesh file share report.pdf",
    "claudemesh file share dump.tgz --to Bob,Cleo --expires 7d",
  ],
  json: true,
  async run(context) {
    const client = await context.agent();
    const tags = listFlag(context, "tags");
    const to = listFlag(context, "to");
    const name = textFlag(context, "name");
    const expires = textFlag(context, "expires");
    const { mesh, result } = await followTransfer(
      context,
      client,
      (waitMs) =>
        client.call("file.share", {
          ...meshOption(context),
          path: localPath(textArgument(context, 0)),
          to,
          ...(name === undefined ? {} : { name }),
          ...(tags.length === 0 ? {} : { tags }),
          ...(expires === undefined ? {} : { expiresInMs: durationMs(expires) }),
          waitMs,
        }),
    );
    const { fileId: id, name: shown, sizeBytes, sha256, sharedWith } = result;
    const who = sharedWith === "mesh" ? `everyone in ${printable(mesh)}` : printable(to.join(", "));
    return {
      data: { mesh, id, name: shown, size_bytes: sizeBytes, sha256, shared_with: sharedWith },
      text: `${marks.done()} ${printable(shown)} (${sizeText(sizeBytes)}) is shared with ${who}\n` +
        `  ${style.dim("claudemesh file get")} ${id}`,
    };
  },
};

export const fileGet: Verb = {
  path: "file get",
  summary: "Fetch a shared file and check that it is what was shared",
  args: [
    ID,
    { name: "path", summary: "where to; a folder keeps its name (default: here)", required: false },
  ],
  flags: [MESH_FLAG, FORCE],
  examples: [
    "claudemesh file get A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
    "claudemesh file get A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8 ~/reports/ --force",
  ],
  json: true,
  async run(context) {
    const client = await context.agent();
    const wanted = context.args[1];
    const { mesh, result } = await followTransfer(
      context,
      client,
      (waitMs) =>
        client.call("file.get", {
          ...meshOption(context),
          fileId: textArgument(context, 0),
          saveTo: localPath(typeof wanted === "string" ? wanted : "./"),
          force: context.flags.force === true,
          waitMs,
        }),
    );
    const { fileId: id, name, path, sizeBytes, sha256, from } = result;
    return {
      data: { mesh, id, name, path, size_bytes: sizeBytes, sha256, from },
      text: `${marks.done()} ${printable(path)} (${sizeText(sizeBytes)}) from ${
        printable(from ?? "")
      }`,
    };
  },
};

function fileRow(file: FileView, nowMs: number): string[] {
  const ends = file.expiresAt === null
    ? ""
    : style.warn(`goes ${relativeTime(Date.parse(file.expiresAt), nowMs)}`);
  return [
    file.id,
    style.bold(printable(file.name)),
    sizeText(file.size),
    printable(file.uploadedBy),
    relativeTime(Date.parse(file.uploadedAt), nowMs),
    file.sharedWith === "mesh" ? "" : "for some",
    style.dim(file.tags.map((tag) => `#${printable(tag)}`).join(" ")),
    file.readable ? ends : style.warn("not for you"),
  ];
}

export const fileList: Verb = {
  path: "file list",
  summary: "List shared files, newest first",
  args: [{ name: "query", summary: "part of the name, or a tag", required: false }],
  flags: [
    MESH_FLAG,
    { syntax: "--from <member>", summary: "only files of this member" },
    { syntax: "--limit <count>", summary: `how many (default ${USUAL_ROWS})` },
    { syntax: "--cursor <next>", summary: "go on where a list ended" },
  ],
  examples: ["claudemesh file list", "claudemesh file list report --from Ada --json"],
  json: true,
  async run(context) {
    const query = context.args[0];
    const from = textFlag(context, "from");
    const limit = numberFlag(textFlag(context, "limit"), "limit", {
      least: 1,
      most: MAX_ROWS,
      otherwise: USUAL_ROWS,
    });
    const cursor = textFlag(context, "cursor");
    const { mesh, output } = await callOne(await context.agent(), context, "list_files", {
      limit,
      ...(cursor === undefined ? {} : { cursor }),
      ...(typeof query === "string" ? { query } : {}),
      ...(from === undefined ? {} : { from }),
    });
    const files = output.files as FileView[];
    const nowMs = Date.now();
    const more = output.next === null
      ? ""
      : `\n  ${style.dim(`there are more: --cursor ${String(output.next)}`)}`;
    return {
      data: { mesh, files, next: output.next },
      text: files.length === 0
        ? "  No files."
        : table(files.map((file) => fileRow(file, nowMs))) + more,
    };
  },
};

export const fileStatus: Verb = {
  path: "file status",
  summary: "Show who may read a file and who fetched it",
  args: [ID],
  flags: [MESH_FLAG],
  examples: ["claudemesh file status A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8"],
  json: true,
  async run(context) {
    const fileId = textArgument(context, 0);
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "file_status", { fileId });
    const { file, members, accesses } = output as FileStatus;
    const nowMs = Date.now();
    const readers = file.sharedWith === "mesh"
      ? `everyone in ${printable(mesh)}`
      : printable(members.join(", "));
    const head = pairs([
      ["file", style.bold(printable(file.name))],
      ["id", file.id],
      ["size", sizeText(file.size)],
      ["shared by", `${printable(file.uploadedBy)}  ${shortKey(file.uploadedByPubkey)}`],
      ["shared", relativeTime(Date.parse(file.uploadedAt), nowMs)],
      ["for", readers],
    ]);
    const fetched = accesses.map((access) => [
      printable(access.peerName),
      relativeTime(Date.parse(access.accessedAt), nowMs),
      access.completedAt === null ? style.dim("not to its end yet") : "",
    ]);
    return {
      data: { mesh, ...output },
      text: `${head}\n\n${fetched.length === 0 ? "  Nobody has fetched it." : table(fetched)}`,
    };
  },
};

export const fileGrant: Verb = {
  path: "file grant",
  summary: "Let more members read a file",
  args: [ID, { name: "members", summary: "names or keys", required: true, variadic: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh file grant A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8 Cleo"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const to = (context.args[1] as readonly string[]).flatMap((each) => each.split(","))
      .map((each) => each.trim()).filter((each) => each !== "");
    const fileId = textArgument(context, 0);
    const answer = await client.call("file.grant", { ...meshOption(context), fileId, to });
    const who = answer.granted.map((peer) => printable(peer.name)).join(", ");
    return {
      data: { mesh: answer.mesh, id: fileId, name: answer.name, granted: answer.granted },
      text: `${marks.done()} ${who} may read ${printable(answer.name)}`,
    };
  },
};

export const fileRemove: Verb = {
  path: "file rm",
  aliases: ["delete"],
  summary: "Delete a shared file and its bytes",
  details: "For who shared it, owners and admins. Copies that were fetched stay where they are.",
  args: [ID],
  flags: [MESH_FLAG],
  examples: ["claudemesh file rm A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8"],
  json: true,
  async run(context) {
    const fileId = textArgument(context, 0);
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "delete_file", { fileId });
    const name = String(output.name);
    return {
      data: { mesh, id: fileId, name },
      text: `${marks.done()} ${printable(name)} is deleted`,
    };
  },
};
