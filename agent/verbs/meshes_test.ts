/** Tests of what mesh verbs read from the command line. */
import assert from "node:assert/strict";
import { durationMs } from "./meshes.ts";

Deno.test("durationMs() reads minutes, hours, days and weeks", () => {
  assert.deepEqual(["90m", "12h", "7d", "2w"].map(durationMs), [
    5_400_000,
    43_200_000,
    604_800_000,
    1_209_600_000,
  ]);
});

Deno.test("durationMs() refuses what is no duration", () => {
  for (const text of ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "1y"]) {
    assert.throws(() => durationMs(text), { code: "invalid_argument" });
  }
});
