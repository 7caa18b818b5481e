/**
 * Secrets that the broker keeps in its data folder, each a line of text in a file that only its owner can read.
 */

/**
 * Returns what the file holds, null when there is none.
 * @throws {Error} that says how to mend it when others can read the file.
 */
export async function readPrivateFile(path: string): Promise<string | null> {
  let mode: number | null;
  try {
    mode = (await Deno.stat(path)).mode;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
  // Windows has no mode; its profile folders are private already.
  if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) {
    throw new Error(
      `${path} can be read by others (mode ${(mode & 0o777).toString(8)}). Fix: chmod 600 ${path}`,
    );
  }
  return (await Deno.readTextFile(path)).trim();
}

/** Writes a new file (0600) and has it on the disk: what is secured with it from now on is lost without it. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, `${text}\n`, { createNew: true, mode: 0o600 });
  const file = await Deno.open(path, { read: true });
  try {
    await file.sync();
  } finally {
    file.close();
  }
}
