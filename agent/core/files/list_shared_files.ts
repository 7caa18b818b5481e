/**
 * What a peer is told about a shared folder: two levels of visible names, sorted, without what is never served.
 */
import type { Dirent } from "node:fs";
import { lstat, opendir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { MeshError } from "../../../broker/api/errors.ts";
import { globMatches } from "./glob_match.ts";
import { findShared, resolved, type SharedPlace } from "./open_shared_file.ts";
import type { SharedFolder } from "./shared_folders.ts";
import { segmentProblem } from "./shared_path.ts";

/** How many entries one listing has. */
export const MAX_LISTED = 500;
/** How many names are looked at for it. */
export const MAX_SCANNED = 10_000;
export const MAX_PATTERN_CHARS = 200;

const LEVELS = 2;

export interface SharedEntry {
  /** As `read_peer_file` takes it. */
  readonly path: string;
  readonly kind: "file" | "folder";
  /** Null for folders. */
  readonly sizeBytes: number | null;
}

export interface SharedListing {
  readonly entries: readonly SharedEntry[];
  /** There is more than what is listed. */
  readonly truncated: boolean;
}

/**
 * Lists the folder that `path` names, "" for all that is shared; with `pattern`, names that match it.
 * @throws {MeshError} `not_found`, `forbidden`, `invalid_argument`.
 */
export async function listShared(
  folders: readonly SharedFolder[],
  path: string,
  pattern: string | null,
): Promise<SharedListing> {
  if (pattern !== null && (pattern.length > MAX_PATTERN_CHARS || pattern.includes("/"))) {
    throw new MeshError(
      "invalid_argument",
      `"${pattern}" is no pattern: at most ${MAX_PATTERN_CHARS} characters of a name, * and ?`,
    );
  }
  const scan = new Scan(pattern);
  const [only] = folders;
  if (path === "" && only !== undefined && folders.length > 1) {
    // Several folders: each is a first level by itself, under its name.
    for (const folder of folders) {
      const place = await resolved(folder, [], folder.name);
      if (place === null) continue;
      scan.add({ path: folder.name, kind: "folder", sizeBytes: null }, folder.name);
      await scan.folder(place, folder.name, LEVELS - 1);
    }
  } else {
    const place = await findShared(folders, path);
    const stat = await lstat(place.path);
    if (!stat.isDirectory()) {
      throw new MeshError("invalid_argument", `"${path}" is a file: read it`);
    }
    const prefix = folders.length > 1
      ? [place.folder.name, ...place.segments].join("/")
      : place.segments.join("/");
    await scan.folder(place, prefix, LEVELS);
  }
  return scan.result();
}

class Scan {
  readonly #pattern: string | null;
  readonly #entries: SharedEntry[] = [];
  #scanned = 0;
  #truncated = false;

  constructor(pattern: string | null) {
    this.#pattern = pattern;
  }

  add(entry: SharedEntry, name: string): void {
    if (this.#pattern === null || globMatches(this.#pattern, name)) this.#entries.push(entry);
  }

  result(): SharedListing {
    const sorted = this.#entries.sort((a, b) => a.path < b.path ? -1 : 1);
    const truncated = this.#truncated || sorted.length > MAX_LISTED;
    return { entries: sorted.slice(0, MAX_LISTED), truncated };
  }

  /** Adds what is in a folder, and `levels` - 1 levels below it. */
  async folder(place: SharedPlace, prefix: string, levels: number): Promise<void> {
    const found = await this.#read(place, prefix);
    for (const { entry, below } of found) {
      this.add(entry, entry.path.slice(entry.path.lastIndexOf("/") + 1));
      if (below !== null && levels > 1) await this.folder(below, entry.path, levels - 1);
    }
  }

  async #read(
    place: SharedPlace,
    prefix: string,
  ): Promise<{ entry: SharedEntry; below: SharedPlace | null }[]> {
    const found: { entry: SharedEntry; below: SharedPlace | null }[] = [];
    let names: AsyncIterable<Dirent>;
    try {
      names = await opendir(place.path);
    } catch {
      // Not this user's to read, or gone meanwhile: there is nothing to list in it.
      return found;
    }
    for await (const dirent of names) {
      if (++this.#scanned > MAX_SCANNED) {
        this.#truncated = true;
        break;
      }
      if (segmentProblem(dirent.name) !== null) continue;
      const path = prefix === "" ? dirent.name : `${prefix}/${dirent.name}`;
      const listed = await this.#entry(place, dirent, path);
      if (listed !== null) found.push(listed);
    }
    // Somebody put a link in the folder's place meanwhile: these names are not of the shared folder.
    const isStillThere = await realpath(place.path).catch(() => "") === place.path;
    return isStillThere ? found : [];
  }

  /** What is told of one name: links by what they lead to, if that is shared; null for what is never served. */
  async #entry(
    place: SharedPlace,
    dirent: Dirent,
    path: string,
  ): Promise<{ entry: SharedEntry; below: SharedPlace | null } | null> {
    const segments = [...place.segments, dirent.name];
    let target: SharedPlace | null = {
      folder: place.folder,
      segments,
      path: join(place.path, dirent.name),
    };
    try {
      if (dirent.isSymbolicLink()) target = await resolved(place.folder, segments, path);
      if (target === null) return null;
      const stat = await lstat(target.path);
      if (stat.isDirectory()) {
        // A link to a folder is shown, not followed: it may lead in a circle.
        const below = dirent.isSymbolicLink() ? null : target;
        return { entry: { path, kind: "folder", sizeBytes: null }, below };
      }
      if (!stat.isFile()) return null;
      return { entry: { path, kind: "file", sizeBytes: stat.size }, below: null };
    } catch {
      // A link that leads out, or a file that is gone or not this user's: not served, so not listed.
      return null;
    }
  }
}
