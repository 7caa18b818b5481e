/** Lets a mesh's statements have only what processor time the rest of the program leaves over. */
import { setPriority } from "node:os";

/** Of -20 to 19: against a process of normal priority that has work, such a one gets about a tenth. */
const NICENESS = 10;

/**
 * Lowers the priority of a process that was started just now: on Linux the threads that it makes later begin with that of
 * its first one.
 * @returns whether it was lowered: a process may have ended already, or the system may know no priorities.
 */
export function lowerPriority(pid: number): boolean {
  try {
    setPriority(pid, NICENESS);
    return true;
  } catch {
    // It runs as well without, only less considerately.
    return false;
  }
}
