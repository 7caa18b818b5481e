/**
 * The process that a mesh's embedded database has to itself: only a process can be ended at once, whatever it is doing.
 * PostgreSQL runs in a worker; the main thread passes on what comes and goes, and ends the process with the broker.
 */
import { framesIn } from "./frame_stream.ts";

/** Runs until the broker closes the pipe, be it by its own end; then ends the process, in the middle of any statement. */
export async function runMeshDatabase(): Promise<never> {
  leaveSignalsToTheBroker();
  const worker = new Worker(new URL("./embedded_worker.ts", import.meta.url), {
    type: "module",
    name: "mesh-database",
  });
  // An error that nobody caught ends the process with its text on standard error.
  for await (const payload of framesIn(Deno.stdin.readable)) {
    worker.postMessage(payload, [payload.buffer]);
  }
  Deno.exit(0);
}

/** Who stops a broker with Ctrl-C, or a whole service, signals this process too; the broker still closes its database. */
function leaveSignalsToTheBroker(): void {
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => {});
}
