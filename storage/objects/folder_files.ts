/**
 * What the folder driver does with single files and folders: reading, writing whole pieces, flushing names, and the
 * meaning of the system's errors.
 */
import { dirname, join } from "node:path";
import { type ObjectReader, ObjectsError } from "./port.ts";

/** An open file, or a part of it. */
export class FileReader implements ObjectReader {
  readonly #file: Deno.FsFile;
  readonly #onClose: () => void;
  #left: number;
  #closed = false;

  constructor(file: Deno.FsFile, length: number, onClose: () => void) {
    this.#file = file;
    this.#left = length;
    this.#onClose = onClose;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#closed) throw new ObjectsError("unavailable", "this reader is closed");
    if (this.#left === 0) return 0;
    const wanted = into.subarray(0, Math.min(into.length, this.#left));
    const count = await translated(() => this.#file.read(wanted));
    this.#left -= count ?? 0;
    return count ?? 0;
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#file.close();
      this.#onClose();
    }
    return Promise.resolve();
  }
}

/** Writes all of `chunk` where the file stands. */
export async function writeAll(file: Deno.FsFile, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length;) {
    written += await file.write(chunk.subarray(written));
  }
}

/** Makes `folder` and what is missing above it up to `root`, each flushed into the one above. */
export async function makeFolders(root: string, folder: string): Promise<void> {
  await Deno.mkdir(root, { recursive: true, mode: 0o700 });
  const missing: string[] = [];
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    if (await isFolder(path)) break;
    missing.push(path);
  }
  for (const path of missing.reverse()) {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    await flushFolder(dirname(path));
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Windows keeps the names of its folders by itself. */
export async function flushFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

/** Removes a file, and the folder of its id when that is empty then; harmless when there is none. */
export async function removeFile(path: string): Promise<void> {
  await translated(async () => {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await removeEmptyFolder(dirname(path));
  });
}

/** Removes the folder of one file's id; a folder that has something in it stays. */
export async function removeEmptyFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof Deno.errors.NotFound || code === "ENOTEMPTY") return;
    throw error;
  }
}

/** The files under a folder as keys; none when there is no folder. */
export async function* filesUnder(folder: string, prefix: string): AsyncIterable<string> {
  try {
    for await (const entry of Deno.readDir(join(folder, prefix))) {
      if (entry.name.startsWith(".")) continue;
      const key = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory) yield* filesUnder(folder, key);
      else if (entry.isFile) yield key;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw objectsError(error);
  }
}

/** Runs `run`; its failures come as ObjectsError. */
export async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw objectsError(error);
  }
}

const FULL: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** A failure of the system, as the port tells it; a mistake in the program stays what it is. */
export function objectsError(error: unknown): Error {
  if (error instanceof ObjectsError || error instanceof TypeError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof Deno.errors.NotFound) {
    return new ObjectsError("not_found", "there is no such object", { cause: error });
  }
  if (FULL.has(code)) return new ObjectsError("full", "the disk is full", { cause: error });
  if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
    return new ObjectsError("unavailable", "the reader was closed", { cause: error });
  }
  return new ObjectsError("other", `the folder of objects failed (${code ?? String(error)})`, {
    cause: error,
  });
}
