/**
 * `grant_file_access`: lets one more peer read a shared file, by sealing its key to that peer.
 */
import * as z from "zod";
import { fileId } from "../../broker/api/file_fields.ts";
import { attribute } from "../../agent/core/peer_text.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool } from "./tool.ts";

export const grantFileAccess = tool({
  name: "grant_file_access",
  description: "Let one more peer read a shared file that you can read yourself.",
  readOnly: false,
  input: z.object({
    fileId,
    to: z.string().min(1).max(600).describe("The peer's display name or key."),
    mesh: meshParameter,
  }),
  async call(context, { fileId, to, mesh }) {
    const granted = await context.call("file.grant", {
      fileId,
      to: [to],
      sessionId: context.sessionId,
      ...(mesh === undefined ? {} : { mesh }),
    });
    const [peer] = granted.granted;
    const name = attribute(granted.name);
    return {
      text: `✓ ${peer?.name ?? to} may read ${name} now`,
      data: { mesh: granted.mesh, fileId, name, granted: granted.granted },
    };
  },
});
