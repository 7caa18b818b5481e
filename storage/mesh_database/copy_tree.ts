/** Copies a folder with everything in it, and puts the copy on disk. */
import { join } from "node:path";
import { flush } from "../sql/flush.ts";

/**
 * Copies the folder `from` to `to`, which must not exist; its parents are made, 0700.
 * @throws the system's error when the disk refuses.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true, mode: 0o700 });
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) await copyTree(source, target);
    else if (entry.isFile) {
      await Deno.copyFile(source, target);
      flush(target);
    }
  }
  if (Deno.build.os !== "windows") flush(to);
}
