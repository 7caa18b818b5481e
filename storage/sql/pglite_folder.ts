/**
 * Makes a new data folder for the embedded PostgreSQL, and has every file of it on disk before
 * anyone calls it finished. Runs in a worker of its own, whose memory (about 400 MiB) goes with it.
 */
import { join } from "node:path";
import { type EngineEvents, PgliteEngine } from "./pglite_engine.ts";
import { flush } from "./flush.ts";
import type { EngineOptions } from "./pglite_messages.ts";
import { SqlError } from "./port.ts";

/**
 * Fills `options.folder`, which must exist and be empty, and flushes it.
 * @throws {SqlError} when PostgreSQL cannot be set up there.
 */
export async function initialiseFolder(
  options: EngineOptions,
  events: EngineEvents,
): Promise<void> {
  if (options.folder === null) throw new SqlError("invalid", "a store in memory has no folder");
  const engine = await PgliteEngine.open(options, events);
  await engine.close();
  flushTree(options.folder);
}

function flushTree(folder: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) flushTree(path);
    else if (entry.isFile) flush(path);
  }
  // Windows has no handle to a folder that could be flushed; NTFS journals names itself.
  if (Deno.build.os !== "windows") flush(folder);
}
