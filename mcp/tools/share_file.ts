/**
 * `share_file`: encrypts a file of this machine and puts it into the mesh, for everybody or for one peer.
 */
import * as z from "zod";
import { fileTags } from "../../broker/api/file_fields.ts";
import { sizeText } from "../../agent/core/size_text.ts";
import { finishedTransfer } from "./finished_transfer.ts";
import { localPath } from "../../agent/core/files/local_path.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool } from "./tool.ts";

export const shareFile = tool({
  name: "share_file",
  description:
    "Share a file with the whole mesh, or with one peer by `to`, encrypted end to end, up to 5 GiB; it stays " +
    "until it is deleted. Peers fetch it with get_file and the id that this returns.",
  readOnly: false,
  input: z.object({
    path: z.string().min(1).max(4_096).describe("The file on this machine."),
    name: z.string().min(1).max(255).optional().describe(
      "What peers see; its own name by default.",
    ),
    tags: fileTags.optional().describe("Words to find it by."),
    to: z.string().min(1).max(600).optional().describe("The one peer that may read it."),
    mesh: meshParameter,
  }),
  async call(context, { path, name, tags, to, mesh }) {
    const begun = await context.call("file.share", {
      path: localPath(path),
      sessionId: context.sessionId,
      ...(name === undefined ? {} : { name }),
      ...(tags === undefined ? {} : { tags }),
      ...(to === undefined ? {} : { to: [to] }),
      ...(mesh === undefined ? {} : { mesh }),
    });
    const { fileId, name: shown, sizeBytes, sha256, sharedWith } = await finishedTransfer(
      context,
      begun,
    );
    const who = sharedWith === "mesh" ? `everyone in ${begun.mesh}` : to ?? "named members";
    return {
      text: `✓ ${shown} (${sizeText(sizeBytes)}) is shared with ${who}. Id: ${fileId}`,
      data: { mesh: begun.mesh, id: fileId, name: shown, sizeBytes, sha256, sharedWith },
    };
  },
});
