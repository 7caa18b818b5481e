/**
 * Which session this MCP server belongs to: the host's own id where it gives one, so that the session stays the same peer
 * when it is resumed, and the host's process, by which its hooks are recognised when that id changes (ADR 0010).
 */
import { createHash } from "node:crypto";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { displayName as displayNameSchema, messageMode } from "../broker/api/fields.ts";
import type { LocalParams } from "../agent/core/local_api.ts";

/** What the process knows of its host. */
export interface HostProcess {
  env(name: string): string | undefined;
  readonly parentPid: number;
  readonly cwd: string;
}

type Identity = Pick<
  LocalParams<"session.attach">,
  "sessionId" | "pid" | "cwd" | "displayName" | "model" | "transcriptPath" | "messageMode"
>;

/**
 * Returns how the session presents itself. Claude Code 2.1 gives its MCP servers CLAUDE_CODE_SESSION_ID and
 * CLAUDE_PROJECT_DIR, and its hooks CLAUDE_PID; CLAUDEMESH_SESSION_ID goes before all.
 */
export function sessionIdentity(host: HostProcess): Identity {
  const claudeId = idFrom(host.env("CLAUDE_CODE_SESSION_ID"));
  const cwd = host.env("CLAUDE_PROJECT_DIR") || host.cwd;
  const pid = Number(host.env("CLAUDE_PID")) || host.parentPid;
  const sessionId = idFrom(host.env("CLAUDEMESH_SESSION_ID")) ?? claudeId ??
    derivedId(host, pid, cwd);
  const name = displayNameSchema.safeParse(host.env("CLAUDEMESH_DISPLAY_NAME"));
  const mode = messageMode.safeParse(host.env("CLAUDEMESH_MESSAGE_MODE"));
  const model = host.env("CLAUDE_MODEL")?.slice(0, 128);
  return {
    sessionId,
    pid,
    cwd,
    ...(name.success ? { displayName: name.data } : {}),
    ...(mode.success ? { messageMode: mode.data } : {}),
    ...(model ? { model } : {}),
    ...(claudeId === undefined ? {} : { transcriptPath: transcriptPath(host, cwd, claudeId) }),
  };
}

function idFrom(value: string | undefined): string | undefined {
  return value !== undefined && /^[A-Za-z0-9._:-]{1,128}$/.test(value) ? value : undefined;
}

/**
 * For hosts without session ids: the same for all servers of one host process in one folder. Machine and home count too,
 * since a session id belongs to one member, and many containers run their process 1 in the same folder.
 */
function derivedId(host: HostProcess, pid: number, cwd: string): string {
  const home = host.env("CLAUDEMESH_CONFIG_DIR") || host.env("HOME") || homedir();
  const digest = createHash("sha256").update([hostname(), home, pid, cwd].join("\n")).digest("hex");
  return `host-${digest.slice(0, 24)}`;
}

/** Where Claude Code writes the session: the folder's name is its path with everything but letters and digits as `-`. */
function transcriptPath(host: HostProcess, cwd: string, claudeId: string): string {
  const home = host.env("CLAUDE_CONFIG_DIR") || join(host.env("HOME") || homedir(), ".claude");
  return join(home, "projects", cwd.replace(/[^A-Za-z0-9]/g, "-"), `${claudeId}.jsonl`);
}
