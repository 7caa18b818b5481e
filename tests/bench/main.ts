/**
 * `deno task bench`: measures the program against its targets and against NATS in the same run.
 *
 *     --only a,b      only these figures (direct, latency, fan_out, crowd, drain, start_up, memory, recall,
 *                     tenant_sql, vectors)
 *     --quick         fewer repetitions: a minute and a half instead of five
 *     --json FILE     also writes the results as JSON
 *     --write         also writes docs/BENCHMARKS.md
 *     --patient       waits for a quiet machine before each figure, and measures it again, up to four
 *                     times, when others used over 15 % meanwhile; the quietest counts, not the best
 *     --profile DIR   brokers write processor profiles into this folder; the rates are lower then
 *
 * Needs Linux: memory and processor time come from /proc. Exits 1 when a target is missed, 2 when a
 * figure could not be measured.
 */
import { parseArgs } from "node:util";
import { type BenchRun, openRun } from "./bench_run.ts";
import { PROJECT_ROOT } from "./child.ts";
import type { FigureResult } from "./figure.ts";
import { measureCrowd } from "./figures/crowd.ts";
import { measureDirect } from "./figures/direct.ts";
import { measureDrain } from "./figures/drain.ts";
import { measureFanOut } from "./figures/fan_out.ts";
import { measureLatency } from "./figures/latency.ts";
import { measureMemory } from "./figures/memory.ts";
import { measureRecall } from "./figures/recall.ts";
import { measureStartUp } from "./figures/start_up.ts";
import { measureTenantSql } from "./figures/tenant_sql.ts";
import { measureVectors } from "./figures/vectors.ts";
import { describeMachine, QUIET_LOAD, quietMoment, withLoadOfOthers } from "./machine.ts";
import { figureText, type MeasuredFigure, type Report, reportPage, verdicts } from "./report.ts";

const PATIENCE_MS = 120_000;
const ATTEMPTS = 4;

const FIGURES: ReadonlyMap<string, (run: BenchRun) => Promise<FigureResult>> = new Map([
  ["direct", measureDirect],
  ["latency", measureLatency],
  ["fan_out", measureFanOut],
  ["crowd", measureCrowd],
  ["drain", measureDrain],
  ["start_up", measureStartUp],
  ["memory", measureMemory],
  ["recall", measureRecall],
  ["tenant_sql", measureTenantSql],
  ["vectors", (run) => measureVectors(run, flags.patient)],
]);

function readFlags() {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      patient: { type: "boolean", default: false },
      profile: { type: "string" },
    },
  });
  const names = values.only?.split(",") ?? [...FIGURES.keys()];
  const unknown = names.filter((name) => !FIGURES.has(name));
  if (unknown.length > 0) {
    throw new RangeError(`no figure ${unknown.join(", ")}; there are ${[...FIGURES.keys()]}`);
  }
  if (values.write && names.length < FIGURES.size) {
    throw new RangeError("--write needs every figure: leave --only out");
  }
  return { ...values, names };
}

/** Measures a figure; a patient run measures it again when others were busy, and keeps the quietest. */
async function measureQuietly(
  measure: () => Promise<FigureResult>,
  patient: boolean,
): Promise<MeasuredFigure> {
  if (!patient) return await withLoadOfOthers(measure);
  const attempts: MeasuredFigure[] = [];
  while (attempts.length < ATTEMPTS) {
    await quietMoment(PATIENCE_MS);
    const attempt = await withLoadOfOthers(measure);
    attempts.push(attempt);
    if (attempt.loadOfOthers < QUIET_LOAD) return attempt;
  }
  return attempts.reduce((a, b) => b.loadOfOthers < a.loadOfOthers ? b : a);
}

async function measureAll(
  run: BenchRun,
  names: readonly string[],
  patient: boolean,
): Promise<{ figures: MeasuredFigure[]; failed: string[] }> {
  const figures: MeasuredFigure[] = [];
  const failed: string[] = [];
  for (const name of names) {
    const measure = FIGURES.get(name);
    if (measure === undefined) continue;
    try {
      const figure = await measureQuietly(() => measure(run), patient);
      figures.push(figure);
      console.log(`${figureText(figure)}\n`);
    } catch (error) {
      failed.push(name);
      console.error(`[${name}] could not be measured:`, error, "\n");
    }
  }
  return { figures, failed };
}

const flags = readFlags();
if (flags.profile !== undefined) await Deno.mkdir(flags.profile, { recursive: true });
const run = await openRun({ quick: flags.quick, profileDir: flags.profile ?? null });
const { figures, failed } = await measureAll(
  run,
  flags.names,
  flags.patient,
).finally(() => run.end());
const report: Report = {
  machine: describeMachine(),
  nats: run.nats?.version ?? null,
  quick: flags.quick,
  date: new Date().toISOString().slice(0, 10),
  figures,
};
const { met, missed, unknown } = verdicts(report);
console.log(`${met} targets met, ${missed} missed, ${unknown} not measured`);
if (failed.length > 0) console.log(`could not be measured: ${failed.join(", ")}`);
if (flags.json !== undefined) {
  await Deno.writeTextFile(flags.json, `${JSON.stringify(report, null, 2)}\n`);
}
if (flags.write && failed.length === 0) {
  const page = `${PROJECT_ROOT}docs/BENCHMARKS.md`;
  await Deno.writeTextFile(page, reportPage(report));
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", page] })
    .output();
  if (!success) throw new Error("the page could not be formatted");
}
Deno.exit(failed.length > 0 ? 2 : missed > 0 ? 1 : 0);
