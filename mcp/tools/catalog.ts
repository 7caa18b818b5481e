/**
 * All MCP tools, in the order in which they are listed: those that are more than one operation, then the derived ones.
 */
import * as z from "zod";
import { checkMessages } from "./check_messages.ts";
import { claimTask } from "./claim_task.ts";
import { completeTask } from "./complete_task.ts";
import { derivedTools } from "./derived_tools.ts";
import { getFile } from "./get_file.ts";
import { grantFileAccess } from "./grant_file_access.ts";
import { listPeerFiles } from "./list_peer_files.ts";
import { listPeers } from "./list_peers.ts";
import { listStreams } from "./list_streams.ts";
import { listTasks } from "./list_tasks.ts";
import { meshQuery } from "./mesh_query.ts";
import { type ChannelState, pingMesh } from "./ping_mesh.ts";
import { readPeerFile } from "./read_peer_file.ts";
import { scheduleReminder } from "./schedule_reminder.ts";
import { sendMessage } from "./send_message.ts";
import { shareFile } from "./share_file.ts";
import type { Tool } from "./tool.ts";

/** Returns the tools; `channelState` is asked by `ping_mesh`. */
export function allTools(channelState: () => ChannelState): Tool[] {
  return [
    sendMessage,
    listPeers,
    checkMessages,
    pingMesh(channelState),
    scheduleReminder,
    meshQuery,
    listStreams,
    listTasks,
    claimTask,
    completeTask,
    shareFile,
    getFile,
    grantFileAccess,
    readPeerFile,
    listPeerFiles,
    ...derivedTools(),
  ];
}

/** A tool as `tools/list` shows it. */
export interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object"; readonly [field: string]: unknown };
  readonly annotations: { readonly readOnlyHint: boolean; readonly openWorldHint: boolean };
}

/** Returns the listing of a tool: its JSON Schema without what clients do not need. */
export function listedTool(tool: Tool): ListedTool {
  const { $schema: _, ...schema } = z.toJSONSchema(tool.input, {
    io: "input",
    override({ jsonSchema }) {
      // Every integer is safe to say; it only costs the model's attention.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return {
    name: tool.name,
    description: tool.description,
    inputSchema: { ...schema, type: "object" },
    annotations: { readOnlyHint: tool.readOnly, openWorldHint: !tool.readOnly },
  };
}
