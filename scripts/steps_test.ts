/** Tests of the gate's runner. */
import assert from "node:assert/strict";
import { PROJECT_ROOT } from "./project_files.ts";
import { runStep, runSteps, type Step } from "./steps.ts";

function step(name: string, source: string, inputs: readonly string[] = []): Step {
  return { name, command: [Deno.execPath(), "eval", source], inputs };
}

Deno.test("runStep() reports success with both output streams", async () => {
  const result = await runStep(step("a", "console.log('out'); console.error('err')"), PROJECT_ROOT);
  assert.equal(result.success, true);
  assert.match(result.output, /out[\s\S]*err/);
});

Deno.test("runStep() fails a step whose command fails, or cannot be started", async () => {
  assert.equal((await runStep(step("a", "Deno.exit(3)"), PROJECT_ROOT)).success, false);
  const missing = { name: "b", command: ["./no-such-program"], inputs: [] };
  assert.equal((await runStep(missing, PROJECT_ROOT)).success, false);
});

Deno.test("runStep() fails a step whose input does not exist, without running it", async () => {
  const result = await runStep(step("a", "console.log('ran')", ["no/such/input"]), PROJECT_ROOT);
  assert.deepEqual([result.success, result.output], [false, "missing: no/such/input"]);
});

Deno.test("runSteps() returns every result in the order of the steps", async () => {
  const done: string[] = [];
  const steps = [step("a", "1"), step("b", "Deno.exit(1)"), step("c", "1")];
  const results = await runSteps(steps, 2, PROJECT_ROOT, (result) => done.push(result.name));
  assert.deepEqual(results.map((each) => [each.name, each.success]), [
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
  assert.deepEqual(done.sort(), ["a", "b", "c"]);
});
