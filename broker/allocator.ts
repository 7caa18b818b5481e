/** Tunes the allocator of what the runtime keeps outside of JavaScript's heap. */

/** `M_MMAP_THRESHOLD` of `mallopt(3)`. */
const MMAP_THRESHOLD = -3;
/** GNU's default, which it raises by itself, up to 32 MiB, as large blocks are freed. */
const LARGE_BLOCK_BYTES = 128 * 1024;
const GNU_ALLOCATOR = { mallopt: { parameters: ["i32", "i32"], result: "i32" } } as const;

/**
 * Makes large blocks go back to the system whenever they are freed. Otherwise 20 to 70 MiB, which are used while PostgreSQL's
 * WebAssembly is compiled, would stay with the process for good. Does nothing where the allocator is another.
 */
export function returnLargeBlocks(): void {
  if (Deno.build.os !== "linux") return;
  let libc: Deno.DynamicLibrary<typeof GNU_ALLOCATOR>;
  try {
    libc = Deno.dlopen("libc.so.6", GNU_ALLOCATOR);
  } catch {
    return;
  }
  libc.symbols.mallopt(MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
  libc.close();
}
