/**
 * How long the program takes until it is useful, as whole processes.
 */
import type { BenchRun } from "../bench_run.ts";
import { BrokerProcess } from "../broker_process.ts";
import { Child } from "../child.ts";
import { boundedRow, type FigureResult, grouped } from "../figure.ts";
import { median } from "../samples.ts";
import { selfCommand } from "../../../agent/home/self_command.ts";
import { openLocal } from "../../../agent/core/local_client.ts";
import { Person } from "../../support/person.ts";
import { setTimeout as pause } from "node:timers/promises";
import { initialize, withJoinedHome } from "./joined_home.ts";

const TARGETS_MS = { words: 150, mcp: 400, agent: 400, fresh: 5_000, existing: 2_000 };
const POLL_MS = 2;
const AGENT_LIMIT_MS = 10_000;

/** Measures the figure. */
export async function measureStartUp(run: BenchRun): Promise<FigureResult> {
  const runs = run.quick ? 3 : 10;
  const freshRuns = run.quick ? 1 : 3;
  const [help, version, mcp, agent] = await withJoinedHome(run, async (person) =>
    [
      await medianOf(runs, () => words(person, "--help")),
      await medianOf(runs, () => words(person, "--version")),
      await medianOf(runs, () => mcpAnswer(person)),
      await medianOf(runs, () => agentReady(person)),
    ] as const);
  const { fresh, existing } = await measureServe(freshRuns, runs);
  const row = (label: string, value: number, atMost: number) =>
    boundedRow(label, value, { atMost }, " ms");
  return {
    name: "start_up",
    title: "Start-up, whole processes",
    how:
      `From the start of \`deno run -A main.ts ...\` with a warm module cache, median of ${runs} after one that is ` +
      `not counted: to the end of the process (\`--help\`, \`--version\`); to the answer to \`initialize\` ` +
      `(\`mcp\`, one mesh joined, no agent running, so that it starts one meanwhile); to the agent's greeting on its ` +
      `socket (one mesh joined); to 200 from \`/health/ready\` (\`serve\`, embedded store; fresh folder: median ` +
      `of ${freshRuns}).`,
    rows: [
      row("--help", help, TARGETS_MS.words),
      row("--version", version, TARGETS_MS.words),
      row("mcp answers initialize", mcp, TARGETS_MS.mcp),
      row("agent ready", agent, TARGETS_MS.agent),
      row("serve ready, fresh data folder", fresh, TARGETS_MS.fresh),
      row("serve ready, existing data folder", existing, TARGETS_MS.existing),
    ],
    notes: [
      `Deno itself takes ${grouped(await medianOf(runs, bareRuntime))} ms for an empty program`,
    ],
    numbers: { help, version, mcp, agent, fresh, existing },
  };
}

async function medianOf(runs: number, measure: () => Promise<number>): Promise<number> {
  await measure();
  const samples: number[] = [];
  for (let i = 0; i < runs; i += 1) samples.push(await measure());
  return median(samples);
}

async function words(person: Person, ...args: string[]): Promise<number> {
  const startedAt = performance.now();
  const { code, stderr } = await person.run(args);
  const tookMs = performance.now() - startedAt;
  if (code !== 0) throw new Error(`${args.join(" ")} ended with code ${code}: ${stderr}`);
  return tookMs;
}

async function mcpAnswer(person: Person): Promise<number> {
  const startedAt = performance.now();
  const child = new Child({ command: selfCommand(["mcp"]), env: person.environment });
  await initialize(child);
  const tookMs = performance.now() - startedAt;
  // Whatever agent it started is up before the next measurement and gone.
  await person.withAgent((client) => client.call("agent.stop", {}));
  child.drain();
  await child.finish();
  return tookMs;
}

async function agentReady(person: Person): Promise<number> {
  const startedAt = performance.now();
  const child = new Child({ command: selfCommand(["agent"]), env: person.environment });
  child.drain();
  for (;;) {
    const client = await openLocal(person.paths.socketPath);
    if (client !== null) {
      const tookMs = performance.now() - startedAt;
      await client.close();
      await child.stop();
      return tookMs;
    }
    if (child.exitCode !== null) throw new Error("the agent ended before it was ready");
    if (performance.now() - startedAt > AGENT_LIMIT_MS) throw new Error("the agent is not ready");
    await pause(POLL_MS);
  }
}

async function measureServe(freshRuns: number, runs: number) {
  const fresh: number[] = [];
  const existing: number[] = [];
  for (let i = 0; i < freshRuns; i += 1) {
    const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-bench-serve-" });
    try {
      fresh.push(await serveReady(dataDir));
      if (i === 0) existing.push(await medianOf(runs, () => serveReady(dataDir)));
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  }
  return { fresh: median(fresh), existing: median(existing) };
}

async function serveReady(dataDir: string): Promise<number> {
  const broker = await BrokerProcess.start({ dataDir });
  await broker.stop();
  return broker.readyMs;
}

/** What Deno takes by itself, the part of every figure that is not the program's. */
async function bareRuntime(): Promise<number> {
  const startedAt = performance.now();
  const child = new Child({ command: [Deno.execPath(), "run", "-A", "data:text/javascript,"] });
  child.drain();
  await child.finish();
  return performance.now() - startedAt;
}
