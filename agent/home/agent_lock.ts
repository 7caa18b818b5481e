/**
 * One agent per home: an advisory lock on `agent.lock` beside the socket, with the holder's process id in it. The kernel
 * frees it when the holder dies, however that happens.
 */
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
  const file = Deno.openSync(paths.lockFile, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  try {
    if (!file.tryLockSync(true)) {
      const pid = agentPid(paths);
      throw new HomeError(
        "agent_running",
        `another agent${pid === null ? "" : ` (process ${pid})`} serves this home`,
        "use it, or stop it with: claudemesh agent stop",
      );
    }
    file.truncateSync();
    file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    release() {
      file.truncateSync();
      file.close();
    },
  };
}

/** The process id that the last holder of the lock wrote; null when it was released or there was none. */
export function agentPid(paths: HomePaths): number | null {
  const pid = Number(readTextOrNull(paths.lockFile)?.trim());
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
}

/** Whether an agent holds the lock now. */
export function isAgentRunning(paths: HomePaths): boolean {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(paths.lockFile, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  using held = file;
  return !held.tryLockSync(true);
}
