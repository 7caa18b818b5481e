/** Runs commands as the steps of a gate: captured, timed, a few at once, and failed when an input is missing. */

/** One command of a gate. */
export interface Step {
  readonly name: string;
  /** Program and arguments. */
  readonly command: readonly string[];
  /** Paths from the project's root that must exist: a step without its inputs proves nothing. */
  readonly inputs: readonly string[];
}

/** How a step ended. */
export interface StepResult {
  readonly name: string;
  readonly success: boolean;
  /** Both output streams, without colours. */
  readonly output: string;
  readonly tookMs: number;
}

const STEP_LIMIT_MS = 20 * 60_000;

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function missingInputs(step: Step, root: string): Promise<string[]> {
  const missing: string[] = [];
  for (const input of step.inputs) if (!await exists(root + input)) missing.push(input);
  return missing;
}

async function execute(step: Step, root: string): Promise<Omit<StepResult, "name" | "tookMs">> {
  const missing = await missingInputs(step, root);
  if (missing.length > 0) return { success: false, output: `missing: ${missing.join(", ")}` };
  const [program, ...args] = step.command;
  if (program === undefined) throw new TypeError(`Step "${step.name}" has no command`);
  const { success, signal, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(STEP_LIMIT_MS),
  }).output();
  const decoder = new TextDecoder();
  const ended = signal === null ? "" : `\nended by ${signal} (a step may take 20 minutes)`;
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) + ended };
}

/** Runs one step in `root` (a path with a trailing slash). A program that cannot be started fails the step. */
export async function runStep(step: Step, root: string): Promise<StepResult> {
  const startedAt = performance.now();
  let result: Omit<StepResult, "name" | "tookMs">;
  try {
    result = await execute(step, root);
  } catch (error) {
    result = { success: false, output: String(error) };
  }
  return { name: step.name, ...result, tookMs: performance.now() - startedAt };
}

/** Runs `steps`, `concurrency` at a time, calling `done` as each ends; results stand in the order of `steps`. */
export async function runSteps(
  steps: readonly Step[],
  concurrency: number,
  root: string,
  done: (result: StepResult) => void,
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  const waiting = [...steps.entries()];
  async function lane(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, step] = next;
      const result = await runStep(step, root);
      results[index] = result;
      done(result);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane));
  return results;
}
