/** Lets a mesh's statements have only what processor time the rest of the program leaves over. */
import { setPriority } from "node:os";

/** Of -20 to 19: against a thread of normal priority that has work, such a one gets about a tenth. */
const NICENESS = 10;

/**
 * Lowers the priority of the thread that calls. Linux alone has priorities of threads; elsewhere, and where `/proc` is
 * hidden, the thread stays as it is.
 * @returns whether it was lowered.
 */
export function lowerPriority(): boolean {
  if (Deno.build.os !== "linux") return false;
  let link: string;
  try {
    link = Deno.readLinkSync("/proc/thread-self");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  const thread = Number(link.split("/").at(-1));
  setPriority(thread, NICENESS);
  return true;
}
