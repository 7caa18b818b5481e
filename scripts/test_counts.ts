/**
 * Adds up the summary lines of `deno test`. As a program it takes files with such output and prints one line,
 * `N passed, N failed`, and `, N skipped` where tests were ignored; `--uncounted N` adds failures of what is no test.
 */
import { parseArgs } from "node:util";

/** How many tests had which end. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

// ok | 12 passed (2 steps) | 0 failed | 1 ignored (6ms)
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/gm;

/** Sums of all summary lines in `output`, which must be free of colours; zeros where there is none. */
export function testCounts(output: string): TestCounts {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const match of output.matchAll(SUMMARY)) {
    passed += Number(match[1]);
    failed += Number(match[2]);
    skipped += Number(match[3] ?? 0);
  }
  return { passed, failed, skipped };
}

/** The closing line that test runs are counted by. */
export function countsLine(counts: TestCounts): string {
  const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { uncounted: { type: "string", default: "0" } },
    allowPositionals: true,
  });
  const outputs = await Promise.all(positionals.map((path) => Deno.readTextFile(path)));
  const counts = testCounts(outputs.join("\n"));
  console.log(countsLine({ ...counts, failed: counts.failed + Number(values.uncounted) }));
}
