/**
 * The role `claudemesh agent`: runs the agent of this user's home until it is told to stop, by a signal or by a client.
 */
import { MeshPeer } from "../core/mesh_peer.ts";
import { releaseMemoryOnceSettled } from "../core/release_memory.ts";
import { acquireAgentLock } from "../home/agent_lock.ts";
import { Home } from "../home/home.ts";
import { type DaemonSetup, startDaemon } from "./daemon.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Returns what an agent of `home` is started with. `version` is that of this program. */
export function daemonSetup(version: string, home: Home = new Home()): DaemonSetup {
  const { configDir, socketPath, logFile } = home.paths;
  return {
    home,
    paths: { configDir, socketPath, logFile },
    acquireLock: () => acquireAgentLock(home.paths),
    makePeer: (mesh) => new MeshPeer({ mesh, home }),
    version,
  };
}

/**
 * Runs the agent in this process and says on standard output where it listens.
 * @returns the exit code, when it has stopped.
 * @throws when another agent runs, or the configuration cannot be read.
 */
export async function runAgent(version: string): Promise<number> {
  const daemon = await startDaemon(daemonSetup(version));
  const signalled = Promise.withResolvers<void>();
  const onSignal = () => signalled.resolve();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  const line = `claudemesh agent ${version} listens at ${daemon.socketPath}\n`;
  await Deno.stdout.write(new TextEncoder().encode(line));
  releaseMemoryOnceSettled();
  try {
    await Promise.race([daemon.stopRequested, signalled.promise]);
    await daemon.close();
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
  return 0;
}
