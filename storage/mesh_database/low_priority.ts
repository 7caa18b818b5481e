/** Lets meshes' databases have only what processor time the rest of the program leaves over. */
import { setPriority } from "node:os";

/**
 * Of -20 to 19: against a thread of normal priority that has work, one of 5 gets a quarter and one of 10 a tenth of the
 * time. For opening a database, which some member waits for and which takes half a second.
 */
export const OPENING_NICENESS = 5;
/** For what members write, and for what nobody waits for. */
export const STATEMENT_NICENESS = 10;

/**
 * Lowers a priority; it can only become lower still.
 * @param pid of a process that was started just now: on Linux, where each thread has a priority, those that it makes later
 *   begin with that of its first one. Without it the calling thread's is lowered, elsewhere its whole process's.
 * @returns whether it was lowered: a process may have ended already, or the system may know no priorities.
 */
export function lowerPriority(niceness: number, pid = 0): boolean {
  try {
    setPriority(pid, niceness);
    return true;
  } catch {
    // It runs as well without, only less considerately.
    return false;
  }
}
