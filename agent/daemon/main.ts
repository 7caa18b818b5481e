/**
 * The role `claudemesh agent`: runs the agent until it is told to stop, by a signal or by a client.
 */
import { type DaemonSetup, startDaemon } from "./daemon.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs the agent in this process.
 * @param announce is told where it listens, once it does.
 * @returns the exit code, when it has stopped.
 * @throws when another agent runs, or the configuration cannot be read.
 */
export async function runAgent(
  setup: DaemonSetup,
  announce: (socketPath: string) => void,
): Promise<number> {
  const daemon = await startDaemon(setup);
  const signalled = Promise.withResolvers<void>();
  const onSignal = () => signalled.resolve();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  announce(daemon.socketPath);
  try {
    await Promise.race([daemon.stopRequested, signalled.promise]);
    await daemon.close();
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
  return 0;
}
