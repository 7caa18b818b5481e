/**
 * Private folders, and files that are either the old or the new one after any crash: written beside the target, synced,
 * renamed.
 */
import { basename, dirname, join } from "node:path";
import { HomeError } from "./home_error.ts";

let counter = 0;

/**
 * Makes `path` and its parents with mode 0700, and gives an existing folder that mode.
 * Throws HomeError `home_unusable` when it cannot.
 */
export function makePrivateDir(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
    if (Deno.build.os === "windows") return;
    const mode = Deno.statSync(path).mode ?? 0o700;
    if ((mode & 0o077) !== 0) Deno.chmodSync(path, 0o700);
  } catch (error) {
    throw unusable(path, error);
  }
}

/**
 * Replaces `path` by `text`, mode 0600, durable when it returns. Throws HomeError `home_unusable` when the disk is full or
 * the folder is not writable; the old file is untouched then.
 */
export function writeFileAtomically(path: string, text: string): void {
  counter += 1;
  const temporary = join(dirname(path), `.${basename(path)}.${Deno.pid}.${counter}.new`);
  try {
    writeSynced(temporary, text);
    Deno.renameSync(temporary, path);
    syncDir(dirname(path));
  } catch (error) {
    removeIfThere(temporary);
    throw unusable(path, error);
  }
}

/** The text of `path`, null when there is no such file. Throws HomeError `home_unusable` on any other failure. */
export function readTextOrNull(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw unusable(path, error);
  }
}

/** Deletes `path` (a file, or a folder with all that is in it); nothing happens when it is not there. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw unusable(path, error);
  }
}

/** Makes renames in `path` durable; Windows does that by itself. */
function syncDir(path: string): void {
  if (Deno.build.os === "windows") return;
  using dir = Deno.openSync(path, { read: true });
  dir.syncSync();
}

function writeSynced(path: string, text: string): void {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
  file.syncSync();
}

function unusable(path: string, cause: unknown): HomeError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HomeError(
    "home_unusable",
    `cannot use ${path}: ${reason}`,
    "check the folder's owner, its mode and the free space on its disk",
    cause,
  );
}
