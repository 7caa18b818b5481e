/** Tests of what the image takes from `ldd`. */
import assert from "node:assert/strict";
import { linkedLibraries } from "./image_root.ts";

const LDD = `	linux-vdso.so.1 (0x00007fff)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f02)
	/lib64/ld-linux-x86-64.so.2 (0x00007f03)
`;

Deno.test("linkedLibraries() returns the files and the loader, not the kernel's page", () => {
  assert.deepEqual(linkedLibraries(LDD), [
    "/lib/x86_64-linux-gnu/libm.so.6",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
  ]);
});

Deno.test("linkedLibraries() refuses a program whose library is missing", () => {
  assert.throws(() => linkedLibraries("\tlibz.so.1 => not found\n"), /"libz\.so\.1"/);
});
