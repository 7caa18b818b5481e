/**
 * The one gate: everything that must hold before a change goes in. One line per step, the output of failed steps,
 * exit 0 or 1. `--no-tests` leaves the tests out, for a run in which they ran already.
 */
import { PROJECT_ROOT } from "./project_files.ts";
import { runStep, runSteps, type Step, type StepResult } from "./steps.ts";
import { countsLine, testCounts } from "./test_counts.ts";

const MODULES = ["main.ts", "agent", "broker", "crypto", "mcp", "scripts", "storage", "tests"];

function deno(...args: string[]): readonly string[] {
  return [Deno.execPath(), ...args];
}

function script(name: string, ...args: string[]): readonly string[] {
  return deno("run", "-A", `scripts/${name}.ts`, ...args);
}

/** Steps that only read; they run two at a time. */
const STATIC_STEPS: readonly Step[] = [
  { name: "types", command: deno("check", ...MODULES), inputs: MODULES },
  { name: "format", command: deno("fmt", "--check"), inputs: ["deno.json"] },
  {
    name: "lint",
    command: deno("lint", "--config", "scripts/lint.json", ...MODULES),
    inputs: ["scripts/lint.json", ...MODULES],
  },
  { name: "tidy", command: script("tidy"), inputs: MODULES },
  { name: "imports", command: script("check_imports"), inputs: MODULES },
  { name: "documented exports", command: script("check_docs"), inputs: ["broker/api", "crypto"] },
  { name: "generated pages", command: script("gen", "--check"), inputs: ["broker/api", "docs"] },
];

/** The tests use every core themselves, so they run alone. */
const TEST_STEP: Step = { name: "tests", command: deno("task", "test"), inputs: ["tests"] };

const CONCURRENCY = 2;

function report(result: StepResult): void {
  const mark = result.success ? "ok    " : "FAILED";
  console.log(`${mark} ${result.name.padEnd(20)} ${(result.tookMs / 1000).toFixed(1)} s`);
}

/** Runs the gate; returns whether everything held. */
async function gate(withTests: boolean): Promise<boolean> {
  const results = await runSteps(STATIC_STEPS, CONCURRENCY, PROJECT_ROOT, report);
  if (withTests) {
    const tests = await runStep(TEST_STEP, PROJECT_ROOT);
    report(tests);
    results.push(tests);
  }
  const failed = results.filter((result) => !result.success);
  for (const result of failed) console.log(`\n--- ${result.name}\n${result.output.trimEnd()}`);
  if (withTests) {
    const counts = testCounts(results.at(-1)?.output ?? "");
    // A step that fails without counting a failed test is one failure itself.
    const uncounted = failed.length - (counts.failed > 0 ? 1 : 0);
    console.log(`\n${countsLine({ ...counts, failed: counts.failed + uncounted })}`);
  }
  return failed.length === 0;
}

if (import.meta.main) {
  const unknown = Deno.args.filter((flag) => flag !== "--no-tests");
  if (unknown.length > 0) {
    console.error(`unknown argument "${unknown[0]}"; --no-tests is the only one`);
    Deno.exit(3);
  }
  Deno.exit(await gate(!Deno.args.includes("--no-tests")) ? 0 : 1);
}
