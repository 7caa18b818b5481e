/**
 * Changing JSON files that belong to other programs: everything else in them stays, a backup is kept, the file is
 * replaced in one step, and what was there before comes back byte by byte.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { LocalError } from "../core/local_error.ts";

export type JsonObject = Record<string, unknown>;

/** Returns whether `value` is a plain JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What an earlier change left behind, so that it can be taken back. */
export interface FileChange {
  readonly path: string;
  /** Where the earlier content is kept; null when there was no file. */
  readonly backup: string | null;
  /** SHA-256 of what the change wrote; empty when the backup is not all that was there before. */
  readonly writtenHash: string;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Returns whether nobody has written the file since `change`; `text` is what it holds now. */
export function isUntouched(change: FileChange, text: string): boolean {
  return hashOf(text) === change.writtenHash;
}

async function realPath(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return path;
    throw error;
  }
}

/** Reads a file's text, null when there is none. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Parses a file that must hold a JSON object; an empty or absent one counts as `{}`.
 * @throws {LocalError} naming the file when it is not one: it is never overwritten.
 */
export function parseObject(path: string, text: string | null): JsonObject {
  if (text === null || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LocalError("invalid_file", `"${path}" is not valid JSON: ${reason}`, {
      exit: 3,
      hint: "Repair the file, then run the command again; it was not changed",
    });
  }
  if (isJsonObject(value)) return value;
  throw new LocalError("invalid_file", `"${path}" holds no JSON object`, {
    exit: 3,
    hint: "Repair the file, then run the command again; it was not changed",
  });
}

function indentOf(text: string | null): string {
  return /^\{\r?\n([ \t]+)"/.exec(text ?? "")?.[1] ?? "  ";
}

/** Renders `value` as the file had it: its indentation or none, its last newline. */
export function render(value: JsonObject, before: string | null): string {
  const isOneLine = before !== null && /^\{[^\n]+\}\n?$/.test(before);
  if (isOneLine) return JSON.stringify(value) + (before.endsWith("\n") ? "\n" : "");
  const ending = before === null || before.endsWith("\n") ? "\n" : "";
  return JSON.stringify(value, null, indentOf(before)) + ending;
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.claudemesh-${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(temporary, text, { mode, createNew: true });
    await Deno.chmod(temporary, mode);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => undefined);
    throw error;
  }
}

async function modeOf(path: string, otherwise: number): Promise<number> {
  try {
    return (await Deno.stat(path)).mode! & 0o777;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return otherwise;
    throw error;
  }
}

/**
 * Writes `next` in place of `before`, after a backup.
 * @throws {LocalError} when the file was changed by somebody else since it was read.
 */
export async function changeFile(
  path: string,
  before: string | null,
  next: string,
  backup: string,
): Promise<FileChange> {
  const target = await realPath(path);
  const mode = await modeOf(target, 0o600);
  await Deno.mkdir(dirname(target), { recursive: true, mode: 0o700 });
  if (before !== null) {
    await Deno.mkdir(dirname(backup), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(backup, before, { mode: 0o600 });
  }
  if (await readText(target) !== before) {
    throw new LocalError("conflict", `"${path}" changed while it was being edited`, {
      exit: 6,
      hint: "Run the command again",
    });
  }
  await replace(target, next, mode);
  return { path, backup: before === null ? null : backup, writtenHash: hashOf(next) };
}

/**
 * Takes a change back: the earlier bytes if nobody wrote since, else `without(current)` in the file's own layout.
 * @returns "restored", "edited", or "absent" when the file is gone.
 */
export async function undoChange(
  change: FileChange,
  without: (current: JsonObject) => JsonObject,
): Promise<"restored" | "edited" | "absent"> {
  const current = await readText(change.path);
  if (current === null) return "absent";
  const target = await realPath(change.path);
  if (isUntouched(change, current)) {
    const earlier = change.backup === null ? null : await readText(change.backup);
    if (change.backup === null) await Deno.remove(target);
    else if (earlier !== null) await replace(target, earlier, await modeOf(target, 0o600));
    // A backup that somebody deleted leaves the way below.
    if (change.backup === null || earlier !== null) return "restored";
  }
  const text = render(without(parseObject(change.path, current)), current);
  await replace(target, text, await modeOf(target, 0o600));
  return "edited";
}
