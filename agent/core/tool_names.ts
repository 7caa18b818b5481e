/**
 * The names of the MCP tools: those that more than one operation stands behind, and those derived from operations.
 */
import { ops } from "../../broker/api/catalog.ts";

/** Tools with a file of their own in `mcp/tools`. */
export const COMPOSED_TOOLS = [
  "send_message",
  "list_peers",
  "check_messages",
  "ping_mesh",
  "schedule_reminder",
  "mesh_query",
  "list_streams",
  "list_tasks",
  "claim_task",
  "complete_task",
  "share_file",
  "get_file",
  "grant_file_access",
  "read_peer_file",
  "list_peer_files",
] as const;

/** Returns the names of all tools that are served. */
export function toolNames(): string[] {
  return [...COMPOSED_TOOLS, ...ops.flatMap((op) => op.tool ? [op.tool.name] : [])];
}

/**
 * Tools that read or write any path of this machine that a model names. A message of a peer could talk a model into one,
 * so the host goes on asking its user.
 */
const ASKED_FOR: ReadonlySet<string> = new Set(["share_file", "get_file", "read_peer_file"]);

/** Returns the names of the tools that `install` lets a host call without asking its user each time. */
export function allowedToolNames(): string[] {
  return toolNames().filter((name) => !ASKED_FOR.has(name));
}
