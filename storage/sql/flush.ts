/** Puts a file, or a folder's names, on disk. */
import { closeSync, fsyncSync, openSync } from "node:fs";

/**
 * Flushes one file or, where the system can (not on Windows), one folder's names.
 * @throws the system's error when the disk refuses.
 */
export function flush(path: string): void {
  const fd = openSync(path, Deno.build.os === "windows" ? "r+" : "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
