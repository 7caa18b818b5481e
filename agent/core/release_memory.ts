/**
 * Gives back the memory that starting up took: schemas are made, lists are built, and then little happens for hours. The
 * runtime would keep it until it runs short, and every workstation has these processes resident.
 */

/** When the first seconds' work is done. */
const SETTLED_MS = 3_000;

/** Collects garbage once, a moment after the start, where the process was started with `--expose-gc`. */
export function releaseMemoryOnceSettled(): void {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) return;
  Deno.unrefTimer(setTimeout(gc, SETTLED_MS));
}
