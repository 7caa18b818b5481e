/** Reads the project's own files, for the checks that look at all of them. */

/** Folders that hold what was built, installed or cloned, never what the project wrote. */
const FOREIGN_FOLDERS = new Set([".git", ".claude", "dist", "node_modules"]);
const FOREIGN_FILES = /(^|\/)(\.DS_Store|[^/]*\.log)$/;
const TEXT = /(\.(ts|tsx|js|mjs|json|jsonc|sql|md|sh|html|css|txt|yaml|yml)|\/run|Dockerfile)$/;

/** A project file; `text` is empty for files that no check reads (pictures, keys, dumps). */
export type ProjectFiles = ReadonlyMap<string, string>;

/** Absolute path of the project, with a trailing slash. */
export const PROJECT_ROOT: string = decodeURIComponent(new URL("../", import.meta.url).pathname);

async function collect(root: string, folder: string, found: Map<string, string>): Promise<void> {
  for await (const entry of Deno.readDir(root + folder)) {
    const path = folder + entry.name;
    if (FOREIGN_FOLDERS.has(entry.name) || FOREIGN_FILES.test(path)) continue;
    if (entry.isDirectory) await collect(root, `${path}/`, found);
    else found.set(path, TEXT.test(path) ? await Deno.readTextFile(root + path) : "");
  }
}

/**
 * All files under `root` (a path with a trailing slash), keyed by their path from there with `/` between the parts,
 * sorted. Throws what `Deno.readDir` throws when `root` cannot be read.
 */
export async function readProjectFiles(root: string = PROJECT_ROOT): Promise<ProjectFiles> {
  const found = new Map<string, string>();
  await collect(root, "", found);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}
