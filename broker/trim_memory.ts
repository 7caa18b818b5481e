/**
 * Gives back the memory that starting up took. GNU's allocator keeps what is freed, 20 to 70 MiB after PostgreSQL's
 * WebAssembly was compiled, until it is told.
 */

/** How long after the start its work is done. */
const SETTLED_MS = 3_000;
const GNU_ALLOCATOR = { malloc_trim: { parameters: ["usize"], result: "i32" } } as const;
/** How many bytes `malloc_trim` shall leave free. */
const NONE = 0n;

/** Trims once, a moment from now, if the program still runs then. */
export function trimMemoryOnceSettled(): void {
  Deno.unrefTimer(setTimeout(trimMemory, SETTLED_MS));
}

/** @returns whether memory was given back; false where the allocator is another. */
export function trimMemory(): boolean {
  if (Deno.build.os !== "linux") return false;
  let libc: Deno.DynamicLibrary<typeof GNU_ALLOCATOR>;
  try {
    libc = Deno.dlopen("libc.so.6", GNU_ALLOCATOR);
  } catch {
    return false;
  }
  try {
    return libc.symbols.malloc_trim(NONE) === 1;
  } finally {
    libc.close();
  }
}
