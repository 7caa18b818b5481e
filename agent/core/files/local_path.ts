/**
 * Paths as people and models write them: relative to the folder that the program runs in, or from the home with `~/`.
 */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The absolute path; one that ends with a slash still does. */
export function localPath(path: string): string {
  const full = path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
  const absolute = resolve(full);
  return /[/\\]$/.test(full) && !/[/\\]$/.test(absolute) ? `${absolute}/` : absolute;
}
