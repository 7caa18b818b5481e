/**
 * One agent per home: a lock on `agent.lock` beside the socket. It is an exclusive transaction on an empty SQLite file, so the
 * kernel frees it when the holder dies, however that happens, and trying it never waits on any version of the runtime.
 */
import { DatabaseSync } from "node:sqlite";
import { makePrivateDir, readTextOrNull } from "./atomic_file.ts";
import { HomeError } from "./home_error.ts";
import type { HomePaths } from "./paths.ts";

/** Held until `release`, or until the process ends. */
export interface AgentLock {
  release(): void;
}

/** Takes the lock. Throws HomeError `agent_running` with the holder's process id when another agent has it. */
export function acquireAgentLock(paths: HomePaths): AgentLock {
  makePrivateDir(paths.runDir);
  const file = tryLock(paths.lockFile);
  if (file === null) {
    const pid = agentPid(paths);
    throw new HomeError(
      "agent_running",
      `another agent${pid === null ? "" : ` (process ${pid})`} serves this home`,
      "use it, or stop it with: claudemesh agent stop",
    );
  }
  writePid(paths, `${Deno.pid}\n`);
  return {
    release() {
      writePid(paths, "");
      file.close();
    },
  };
}

/** The process id that the last holder of the lock wrote; null when it was released or there was none. */
export function agentPid(paths: HomePaths): number | null {
  const pid = Number(readTextOrNull(pidFile(paths))?.trim());
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
}

/** Whether an agent holds the lock now. */
export function isAgentRunning(paths: HomePaths): boolean {
  if (readTextOrNull(paths.lockFile) === null) return false;
  const file = tryLock(paths.lockFile);
  file?.close();
  return file === null;
}

/** Returns the lock, null when somebody has it. */
function tryLock(path: string): DatabaseSync | null {
  Deno.writeFileSync(path, new Uint8Array(), { append: true, mode: 0o600 });
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec("BEGIN EXCLUSIVE");
    return file;
  } catch (error) {
    file.close();
    if (error instanceof Error && /locked/.test(error.message)) return null;
    throw error;
  }
}

function pidFile(paths: HomePaths): string {
  return paths.lockFile.replace(/\.lock$/, ".pid");
}

function writePid(paths: HomePaths, text: string): void {
  Deno.writeTextFileSync(pidFile(paths), text, { mode: 0o600 });
}
