/** Tests of the sum over test summaries. */
import assert from "node:assert/strict";
import { countsLine, testCounts } from "./test_counts.ts";

Deno.test("testCounts() sums every form of the summary line", () => {
  const output = [
    "running 3 tests",
    "ok | 12 passed | 0 failed (3s)",
    "FAILED | 2 passed (2 steps) | 1 failed (1 step) | 4 ignored (6ms)",
    "ok | 1 passed (10 steps) | 0 failed | 7 filtered out (5ms)",
    "a test that prints ok | 99 passed | 99 failed",
  ].join("\n");
  assert.deepEqual(testCounts(output), { passed: 15, failed: 1, skipped: 4 });
});

Deno.test("testCounts() finds nothing where no test ran", () => {
  assert.deepEqual(testCounts("error: Module not found"), { passed: 0, failed: 0, skipped: 0 });
});

Deno.test("countsLine() names skipped tests only where there are some", () => {
  assert.equal(countsLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assert.equal(countsLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
});
