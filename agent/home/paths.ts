/**
 * Where the files of a peer are: `~/.claudemesh` or `CLAUDEMESH_CONFIG_DIR`, and the local socket of its agent.
 */
import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Absolute paths; nothing says that the files exist. */
export interface HomePaths {
  readonly configDir: string;
  readonly configFile: string;
  /** Private keys; 0700. */
  readonly keysDir: string;
  /** Inboxes, outboxes and caches, a folder per mesh. */
  readonly stateDir: string;
  /** Socket, lock and log of the agent; 0700. */
  readonly runDir: string;
  /** Local socket, or the named pipe on Windows. */
  readonly socketPath: string;
  readonly lockFile: string;
  readonly logFile: string;
}

// The kernel's limit is 108 bytes with the closing zero, 104 on macOS.
const MAX_SOCKET_PATH_BYTES = 100;

/**
 * The paths for an environment. `CLAUDEMESH_CONFIG_DIR` moves everything, the socket too, so that a second home on one
 * machine has an agent of its own.
 */
export function homePaths(env: (name: string) => string | undefined = readEnv): HomePaths {
  const chosen = env("CLAUDEMESH_CONFIG_DIR") || undefined;
  const configDir = resolve(chosen ?? join(homedir(), ".claudemesh"));
  const runtimeDir = env("XDG_RUNTIME_DIR") || undefined;
  const runDir = chosen === undefined && runtimeDir !== undefined
    ? join(runtimeDir, "claudemesh")
    : join(configDir, "run");
  return {
    configDir,
    configFile: join(configDir, "config.json"),
    keysDir: join(configDir, "keys"),
    stateDir: join(configDir, "state"),
    ...runPaths(runDir, configDir),
  };
}

/** The folder of one mesh's inbox, outbox and caches. */
export function meshStateDir(paths: HomePaths, meshId: string): string {
  return join(paths.stateDir, meshId);
}

function runPaths(
  wanted: string,
  configDir: string,
): Pick<HomePaths, "runDir" | "socketPath" | "lockFile" | "logFile"> {
  const socketName = "agent.sock";
  const tooLong = new TextEncoder().encode(join(wanted, socketName)).length > MAX_SOCKET_PATH_BYTES;
  const digest = createHash("sha256").update(configDir).digest("hex").slice(0, 16);
  const runDir = tooLong ? join(tmpdir(), `claudemesh-${digest}`) : wanted;
  const windows = Deno.build.os === "windows";
  return {
    runDir,
    socketPath: windows ? `\\\\.\\pipe\\claudemesh-${digest}` : join(runDir, socketName),
    lockFile: join(runDir, "agent.lock"),
    logFile: join(runDir, "agent.log"),
  };
}

function readEnv(name: string): string | undefined {
  return Deno.env.get(name);
}
