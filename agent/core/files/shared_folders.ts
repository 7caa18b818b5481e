/**
 * The folders of this machine that members of a mesh may read from, if they are granted `file-read`: none until somebody
 * shares one. What a whole home, the system or the keys lie in cannot be shared at all.
 */
import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, parse, sep } from "node:path";
import { LocalError } from "../local_error.ts";
import { segmentProblem } from "./shared_path.ts";
import { readState, writeState } from "./state_file.ts";

export interface SharedFolder {
  /** Absolute, with all links resolved when it was shared. */
  readonly path: string;
  /** What peers call it: the last part of the path, with a number where two are alike. */
  readonly name: string;
  /** ISO 8601. */
  readonly sharedAt: string;
}

/** How many folders one mesh may read from. */
export const MAX_SHARED_FOLDERS = 16;

/** Folders of keys and settings; nothing below them is shared either. */
const SECRET_FOLDERS: ReadonlySet<string> = new Set([
  ".ssh",
  ".gnupg",
  ".aws",
  ".azure",
  ".kube",
  ".docker",
  ".config",
  ".git",
  ".password-store",
  ".claudemesh",
  ".mozilla",
  ".thunderbird",
  "keyrings",
  "keychains",
]);
const SYSTEM_FOLDERS: readonly string[] = [
  "/boot",
  "/dev",
  "/etc",
  "/private/etc",
  "/proc",
  "/run",
  "/sys",
];

export class SharedFolders {
  readonly #stateFile: string;
  readonly #claudemeshDir: string;
  #folders: readonly SharedFolder[];

  /** Reads what is shared from a mesh's state folder; where that cannot be read, nothing is. */
  constructor(stateFolder: string) {
    this.#stateFile = `${stateFolder}/shared_folders.json`;
    // `<claudemesh folder>/state/<mesh id>`
    this.#claudemeshDir = dirname(dirname(stateFolder));
    this.#folders = readFolders(readState(this.#stateFile));
  }

  get all(): readonly SharedFolder[] {
    return this.#folders;
  }

  /**
   * Shares `path`, durably; a folder that is shared already stays as it is.
   * @throws {LocalError} `not_found`, `invalid_argument`, `refused` with the reason, `limit`.
   */
  async add(path: string, now: Date): Promise<SharedFolder> {
    const real = await this.#checked(path);
    const known = this.#folders.find((folder) => folder.path === real);
    if (known !== undefined) return known;
    if (this.#folders.length >= MAX_SHARED_FOLDERS) {
      throw new LocalError("limit", `${MAX_SHARED_FOLDERS} folders are shared already`, {
        exit: 3,
        hint: "end one with claudemesh unshare DIR, or share a folder above several of them",
      });
    }
    const added = { path: real, name: this.#freeName(basename(real)), sharedAt: now.toISOString() };
    this.#store([...this.#folders, added]);
    return added;
  }

  /**
   * Ends the sharing of a folder, by its path or the name that peers know, durably.
   * @throws {LocalError} `not_found` with what is shared.
   */
  async remove(wanted: string): Promise<SharedFolder> {
    const real = await realpath(wanted).catch(() => wanted);
    const found = this.#folders.find(({ path, name }) =>
      path === real || path === wanted || name === wanted || name === basename(wanted)
    );
    if (found === undefined) {
      const paths = this.#folders.map(({ path }) => path);
      throw new LocalError("not_found", `"${wanted}" is not shared`, {
        hint: paths.length === 0 ? "no folder is shared" : `shared are: ${paths.join(", ")}`,
        candidates: paths,
      });
    }
    this.#store(this.#folders.filter((folder) => folder !== found));
    return found;
  }

  async #checked(path: string): Promise<string> {
    if (!isAbsolute(path)) {
      throw new LocalError("invalid_argument", `"${path}" is no absolute path`);
    }
    let real: string;
    try {
      real = await realpath(path);
      if (!(await stat(real)).isDirectory()) {
        throw new LocalError("invalid_argument", `"${path}" is no folder`, {
          hint: "share the folder that it lies in, or the file itself: claudemesh file share FILE",
        });
      }
    } catch (error) {
      if (error instanceof LocalError) throw error;
      throw new LocalError("not_found", `there is no folder "${path}" that can be read`, {
        cause: error,
      });
    }
    const home = await realpath(homedir()).catch(() => homedir());
    const claudemesh = await realpath(this.#claudemeshDir).catch(() => this.#claudemeshDir);
    const problem = folderProblem(real, { home, claudemesh });
    if (problem === null) return real;
    throw new LocalError("refused", `"${path}" cannot be shared: ${problem}`, {
      exit: 7,
      hint: "share the one folder that your peers need",
    });
  }

  #freeName(name: string): string {
    const taken = new Set(this.#folders.map((folder) => folder.name.toLowerCase()));
    for (let number = 2, free = name;; number++) {
      if (!taken.has(free.toLowerCase())) return free;
      free = `${name}-${number}`;
    }
  }

  #store(folders: readonly SharedFolder[]): void {
    writeState(this.#stateFile, { version: 1, folders });
    this.#folders = folders;
  }
}

/**
 * Returns why a folder may never be shared, null when it may. All paths are absolute, with their links resolved; `home`
 * is the user's and `claudemesh` the folder of keys and messages.
 */
export function folderProblem(
  path: string,
  own: { readonly home: string; readonly claudemesh: string },
): string | null {
  if (path === parse(path).root) return "it is the whole disk";
  if (isInside(path, own.home)) return "your home lies in it";
  if (isInside(own.claudemesh, path) || isInside(path, own.claudemesh)) {
    return "claudemesh keeps its keys and messages there";
  }
  const system = SYSTEM_FOLDERS.find((folder) => isInside(folder, path));
  if (system !== undefined) return `it belongs to the system (${system})`;
  const segments = path.slice(parse(path).root.length).split(sep);
  const secret = segments.find((segment) => SECRET_FOLDERS.has(segment.toLowerCase()));
  if (secret !== undefined) return `"${secret}" is where keys and settings are kept`;
  const last = segments.at(-1) ?? "";
  const problem = segmentProblem(last);
  return problem === null ? null : `"${last}" ${problem}`;
}

/** Returns whether `path` is `folder` or lies in it, compared by segment. */
export function isInside(folder: string, path: string): boolean {
  const base = folder.endsWith(sep) ? folder : folder + sep;
  return path === folder || path.startsWith(base);
}

function readFolders(value: unknown): SharedFolder[] {
  if (typeof value !== "object" || value === null || !("folders" in value)) return [];
  const { folders } = value;
  if (!Array.isArray(folders)) return [];
  return folders.filter(isSharedFolder).slice(0, MAX_SHARED_FOLDERS);
}

function isSharedFolder(value: unknown): value is SharedFolder {
  if (typeof value !== "object" || value === null) return false;
  const { path, name, sharedAt } = value as Record<string, unknown>;
  return typeof path === "string" && isAbsolute(path) && typeof name === "string" &&
    typeof sharedAt === "string";
}
