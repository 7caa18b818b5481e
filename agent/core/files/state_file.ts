/**
 * Small JSON files in a mesh's state folder: private, and either the old or the new one after a crash.
 */
import { LocalError } from "../local_error.ts";

/** What is in the file; null when there is none, or nothing that can be read. */
export function readState(path: string): unknown {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch {
    // Missing, damaged, or not ours to read: what it would allow is not allowed, and the next write says why.
    return null;
  }
}

/** Replaces the file; durable when it returns. @throws {LocalError} `disk_full`, `store_broken`. */
export function writeState(path: string, value: unknown): void {
  const temporary = `${path}.new`;
  try {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    using file = Deno.openSync(temporary, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    for (let written = 0; written < bytes.length;) {
      written += file.writeSync(bytes.subarray(written));
    }
    file.syncSync();
    Deno.renameSync(temporary, path);
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): LocalError {
  const reason = error instanceof Error ? error.message : String(error);
  return new LocalError("store_broken", `cannot use ${path}: ${reason}`, {
    hint: "check the file's owner, its mode and the free space on its disk",
    cause: error,
  });
}
