/** Lets meshes' databases have only what processor time the rest of the program leaves over. */
import { getPriority, setPriority } from "node:os";

/**
 * Of -20 to 19: against a thread of normal priority that has work, one of 5 gets a quarter and one of 10 a tenth of the
 * time. For opening a database, which some member waits for and which takes half a second.
 */
export const OPENING_NICENESS = 5;
/** For what members write, and for what nobody waits for. */
export const STATEMENT_NICENESS = 10;

/**
 * Lowers a priority; it can only become lower still. On Linux each thread has its own: a process's are lowered all, and
 * those that it makes later begin with that of the one that makes them.
 * @param pid of a process; without it the calling thread's is lowered, elsewhere than on Linux its whole process's.
 * @returns whether it was lowered: a process may have ended already, or the system may know no priorities.
 */
export function lowerPriority(niceness: number, pid = 0): boolean {
  return pid !== 0 && Deno.build.os === "linux"
    ? lowerThreads(niceness, pid)
    : lowerOne(niceness, pid);
}

/** Until none is new: a thread that was not lowered yet may have made another meanwhile. */
function lowerThreads(niceness: number, pid: number): boolean {
  const seen = new Set<number>();
  let lowered = false;
  for (;;) {
    const others = threadsOf(pid).filter((thread) => !seen.has(thread));
    if (others.length === 0) return lowered;
    for (const thread of others) {
      if (lowerOne(niceness, thread)) lowered = true;
      seen.add(thread);
    }
  }
}

function threadsOf(pid: number): number[] {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => Number(name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function lowerOne(niceness: number, id: number): boolean {
  try {
    if (getPriority(id) < niceness) setPriority(id, niceness);
    return true;
  } catch {
    // It runs as well without, only less considerately.
    return false;
  }
}
