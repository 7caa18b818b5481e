/**
 * From a path that a peer asks for to an open file, so that nothing but a visible file inside a shared folder is ever
 * read (CONTRACTS 8): links are resolved, the result is compared by segment, and what was opened is looked at again, so
 * that nobody can put another file there between the look and the opening.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { MeshError } from "../../../broker/api/errors.ts";
import { LIMITS } from "../../../broker/api/limits.ts";
import { sha256Hex } from "../../../crypto/kdf.ts";
import { isInside, type SharedFolder } from "./shared_folders.ts";
import { segmentProblem, sharedPathSegments } from "./shared_path.ts";

/** A place in a shared folder that exists and may be served. */
export interface SharedPlace {
  readonly folder: SharedFolder;
  /** Below the folder, links resolved; empty for the folder itself. */
  readonly segments: readonly string[];
  /** Absolute, links resolved. */
  readonly path: string;
}

/** An open file; the caller closes its handle. */
export interface SharedFile extends SharedPlace {
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  /** Changes whenever the file does: which file it is, its size and time. */
  readonly version: string;
}

// Windows has neither; there, links need a privilege of their own.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const NO_BLOCK = constants.O_NONBLOCK ?? 0;
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG"]);

/**
 * Finds what `path` names: below the folder that its first part names, or in any of `folders`.
 * @throws {MeshError} `not_found`, `forbidden`, `invalid_argument`, in words for the peer.
 */
export async function findShared(
  folders: readonly SharedFolder[],
  path: string,
): Promise<SharedPlace> {
  const segments = sharedPathSegments(path);
  const [first, ...rest] = segments;
  const named = folders.filter((folder) => folder.name === first);
  const tries = [
    ...named.map((folder) => ({ folder, segments: rest })),
    ...folders.map((folder) => ({ folder, segments })),
  ];
  for (const each of tries) {
    const place = await resolved(each.folder, each.segments, path);
    if (place !== null) return place;
  }
  throw new MeshError("not_found", `there is no "${path}" in what is shared`);
}

/**
 * Opens a file that `findShared` has found.
 * @throws {MeshError} `forbidden`, `invalid_argument`, `too_large`, `conflict`, `not_found`.
 */
export async function openShared(place: SharedPlace): Promise<SharedFile> {
  const name = place.segments.join("/") || place.folder.name;
  const before = await lstat(place.path, { bigint: true }).catch(absentAs(name));
  if (before.isDirectory()) {
    throw new MeshError("invalid_argument", `"${name}" is a folder: list it`);
  }
  if (!before.isFile()) throw new MeshError("forbidden", `"${name}" is no ordinary file`);
  const flags = constants.O_RDONLY | NO_FOLLOW | NO_BLOCK;
  const handle = await open(place.path, flags).catch(absentAs(name));
  try {
    const opened = await handle.stat({ bigint: true });
    const isSame = opened.isFile() && opened.ino === before.ino && opened.dev === before.dev;
    if (!isSame || !await isStillAt(handle, place.path, opened.ino)) {
      throw new MeshError("conflict", `"${name}" was replaced at this moment: try again`);
    }
    if (opened.nlink > 1n) {
      throw new MeshError(
        "forbidden",
        `"${name}" has a second name (a hard link), which may lie outside of the shared folder`,
      );
    }
    const sizeBytes = Number(opened.size);
    const limit = LIMITS.peerFileBytes.value;
    if (sizeBytes > limit) {
      throw new MeshError(
        "too_large",
        `"${name}" has ${sizeBytes} bytes, at most ${limit} are read from a peer: ask for share_file`,
        { data: { limit } },
      );
    }
    const identity = [opened.dev, opened.ino, opened.size, opened.mtimeNs, opened.ctimeNs];
    const version = sha256Hex(identity.join("|")).slice(0, 32);
    return { ...place, handle, sizeBytes, version };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * The place of `segments` in a folder, null when there is nothing.
 * @throws {MeshError} `forbidden` when it lies outside, or is never served.
 */
export async function resolved(
  folder: SharedFolder,
  segments: readonly string[],
  asked: string,
): Promise<SharedPlace | null> {
  let root: string;
  let path: string;
  try {
    root = await realpath(folder.path);
    path = await realpath(join(folder.path, ...segments));
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return null;
    throw new MeshError("forbidden", `"${asked}" cannot be read`, { cause: error });
  }
  // What was shared is the folder that lay there; one that a link leads to by now is another.
  if (root !== folder.path) return null;
  if (!isInside(root, path)) {
    throw new MeshError("forbidden", `"${asked}" leads out of the shared folder by a link`);
  }
  const below = path.slice(root.length).split(sep).filter((segment) => segment !== "");
  for (const segment of below) {
    const problem = segmentProblem(segment);
    if (problem !== null) throw new MeshError("forbidden", `"${asked}" ${problem}`);
  }
  return { folder, segments: below, path };
}

/** Whether the open file lies at `path` now: what the kernel says of the descriptor, else what the path leads to. */
async function isStillAt(handle: FileHandle, path: string, ino: bigint): Promise<boolean> {
  if (Deno.build.os === "linux") {
    try {
      return await readlink(`/proc/self/fd/${handle.fd}`) === path;
    } catch {
      // A container without /proc: asked in the other way.
    }
  }
  try {
    const again = await lstat(path, { bigint: true });
    return again.isFile() && again.ino === ino && await realpath(path) === path;
  } catch (error) {
    if (ABSENT.has(codeOf(error))) return false;
    throw error;
  }
}

function absentAs(name: string): (error: unknown) => never {
  return (error) => {
    if (ABSENT.has(codeOf(error))) {
      throw new MeshError("not_found", `there is no "${name}" in what is shared`);
    }
    throw new MeshError("forbidden", `"${name}" cannot be read`, { cause: error });
  };
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}
