/** How considerate the threads of a process are, as Linux tells it. */

/** Returns the niceness of each thread, -20 to 19. */
export function threadNiceness(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => {
    const fields = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`).split(") ")[1];
    return Number(fields?.split(" ")[16]);
  });
}
