/**
 * Where a file that is fetched grows: under a temporary name beside its target, and only what is whole and checked gets
 * the target's name. Nothing that is there is written over unless that is asked for, and no link is followed.
 */
import { constants } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, sep } from "node:path";
import { randomCode } from "../../../crypto/random.ts";
import { LocalError } from "../local_error.ts";
import { safeFileName } from "./safe_file_name.ts";

// Windows has none; there, links need a privilege of their own.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const FILE_MODE = 0o666;
/** What file systems without hard links answer. */
const NO_LINKS: ReadonlySet<string> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
]);

/**
 * The path at which `saveTo` wants a file: itself, or in it under the name that the sharer gave, made safe, when it is a
 * folder or ends like one. @throws {LocalError} `invalid_argument` when it is not absolute.
 */
export async function targetPath(saveTo: string, name: string): Promise<string> {
  if (!isAbsolute(saveTo) || saveTo.includes("\0")) {
    throw new LocalError("invalid_argument", `"${saveTo}" is no absolute path`);
  }
  const isFolder = saveTo.endsWith(sep) || saveTo.endsWith("/") || await isDirectory(saveTo);
  return isFolder ? join(saveTo, safeFileName(name)) : saveTo;
}

/** Refuses a target that is there. @throws {LocalError} `already_exists`, `invalid_argument` for a folder. */
export async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = await lstat(path).catch(absent);
  if (found === null) return;
  if (found.isDirectory()) {
    throw new LocalError("invalid_argument", `"${path}" is a folder`, {
      hint: "end it with / to have the file put into it",
    });
  }
  if (!force) throw exists(path);
}

export class PartFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #force: boolean;
  #written = 0;
  #isClosed = false;

  private constructor(path: string, temporary: string, handle: FileHandle, force: boolean) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#force = force;
  }

  /**
   * Makes the folders of `path` and the temporary file beside it.
   * @throws {LocalError} `already_exists`, `invalid_argument`, `disk_full`, `refused` with the disk's reason.
   */
  static async create(path: string, force: boolean): Promise<PartFile> {
    await refuseExisting(path, force);
    const folder = dirname(path);
    const temporary = join(folder, `.${basename(path).slice(0, 60)}.${randomCode(12)}.part`);
    try {
      await mkdir(folder, { recursive: true });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
      const handle = await open(temporary, flags, FILE_MODE);
      return new PartFile(path, temporary, handle, force);
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** How many bytes are in it. */
  get size(): number {
    return this.#written;
  }

  /** Appends `bytes`. @throws {LocalError} `disk_full`, `refused`. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        const left = bytes.length - at;
        const { bytesWritten } = await this.#handle.write(bytes, at, left, this.#written);
        at += bytesWritten;
        this.#written += bytesWritten;
      }
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  /** Gives it the target's name, durably. @throws {LocalError} `already_exists`, `disk_full`, `refused`. */
  async finish(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#close();
      if (this.#force) await rename(this.#temporary, this.path);
      else await this.#claim();
      await syncFolder(dirname(this.path));
    } catch (error) {
      await this.abandon();
      throw codeOf(error) === "EEXIST" ? exists(this.path) : unwritable(this.path, error);
    }
  }

  /** Removes it: what was fetched is not to be kept. */
  async abandon(): Promise<void> {
    await this.#close();
    await unlink(this.#temporary).catch(absent);
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#handle.close();
  }

  /** Takes the target's name if nobody has it, which a rename would not ask. */
  async #claim(): Promise<void> {
    try {
      await link(this.#temporary, this.path);
      await unlink(this.#temporary);
    } catch (error) {
      if (!NO_LINKS.has(codeOf(error))) throw error;
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW;
      const placeholder = await open(this.path, flags, FILE_MODE);
      await placeholder.close();
      await rename(this.#temporary, this.path);
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch(absent);
  return found?.isDirectory() ?? false;
}

/** Makes a new name durable; Windows does that by itself. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function absent(error: unknown): null {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return null;
  throw error;
}

function exists(path: string): LocalError {
  return new LocalError("already_exists", `"${path}" is there already`, {
    hint: "choose another name, or write over it with --force (force: true)",
  });
}

function unwritable(path: string, error: unknown): Error {
  if (error instanceof LocalError) return error;
  if (codeOf(error) === "ENOSPC" || codeOf(error) === "EDQUOT") {
    return new LocalError("disk_full", `the disk is full: "${path}" was not written`, {
      hint: "free some space and fetch it again",
      cause: error,
    });
  }
  const reason = codeOf(error) || (error instanceof Error ? error.message : String(error));
  return new LocalError("refused", `"${path}" cannot be written: ${reason}`, {
    exit: 7,
    hint: "check the folder's owner and mode, or choose another place",
    cause: error,
  });
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}
