/**
 * The results as text for a terminal and as the page `docs/BENCHMARKS.md`.
 */
import { type FigureResult, type FigureRow, grouped } from "./figure.ts";
import { type Machine, QUIET_LOAD } from "./machine.ts";

/** One figure with the share of the processor (0 to 1) that other processes used while it was measured. */
export interface MeasuredFigure {
  readonly result: FigureResult;
  readonly loadOfOthers: number;
}

export interface Report {
  readonly machine: Machine;
  /** The peer's version line; null when it was not there. */
  readonly nats: string | null;
  readonly quick: boolean;
  /** YYYY-MM-DD */
  readonly date: string;
  readonly figures: readonly MeasuredFigure[];
}

/** One figure as lines for a terminal. */
export function figureText(figure: MeasuredFigure): string {
  const { result } = figure;
  const lines = [`${result.title}  [${result.name}]`];
  for (const row of result.rows) {
    const target = row.target === null ? "" : `   target: ${row.target}`;
    lines.push(`  ${verdict(row).padEnd(8)} ${row.label}: ${row.value}${target}`);
  }
  for (const note of result.notes) lines.push(`           ${note}`);
  lines.push(`           ${noiseNote(figure)}`);
  lines.push(`  how: ${result.how}`);
  return lines.join("\n");
}

/** How many targets are met, missed and not measured. */
export function verdicts(report: Report): { met: number; missed: number; unknown: number } {
  const rows = report.figures.flatMap(({ result }) => result.rows)
    .filter((row) => row.target !== null);
  const met = rows.filter((row) => row.ok === true).length;
  const missed = rows.filter((row) => row.ok === false).length;
  return { met, missed, unknown: rows.length - met - missed };
}

/** The page. */
export function reportPage(report: Report): string {
  const { machine, nats, quick, date } = report;
  const { met, missed, unknown } = verdicts(report);
  const parts = [
    "# Benchmarks",
    "Written by `deno task bench --write`; run `deno task bench` to measure again.",
    `Measured on ${date}: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB, ` +
    `${machine.system}; Deno ${machine.deno} (V8 ${machine.v8}); peer: ${
      nats ?? "not installed"
    }.` +
    (quick ? " A quick run: fewer repetitions, more noise." : ""),
    `${met} targets met, ${missed} missed, ${unknown} not measured.`,
    HOW_TO_READ,
    ...report.figures.map(figureSection),
  ];
  return `${parts.join("\n\n")}\n`;
}

const HOW_TO_READ = `## How to read this

- The broker is a process of its own, \`deno run -A main.ts serve\`, on the embedded store in a temporary
  folder, with one fdatasync per commit. Rate limits are raised, since the load is a thousand times what
  people send; queue, frame and buffer limits are the defaults.
- Load comes from further processes on the same machine over loopback, so broker, clients and store share
  the cores: with more cores the rates would be higher. There is no network in any latency.
- Bodies are random bytes of the size of a ciphertext. The broker cannot tell; the agents' encryption, inbox
  files and hosts are not in these figures.
- The peer is a \`nats-server\` with JetStream, started for each figure of the same run, driven from the same
  kind of process through its npm client. It does not sync each message to disk before it acknowledges; the
  broker does. It does not know members, receipts, holds or grants.
- Absolute numbers move with the machine and with what else ran on it: each figure states what share of the
  processor other processes took meanwhile. With \`--patient\` a disturbed figure is measured again, and the
  least disturbed attempt counts, whatever its values. Ratios move less than absolute numbers.`;

function figureSection(figure: MeasuredFigure): string {
  const { result } = figure;
  const rows = result.rows.map((row) =>
    `| ${row.label} | ${row.value} | ${row.target ?? ""} | ${verdict(row)} |`
  );
  const notes = [...result.notes, noiseNote(figure)];
  return [
    `## ${result.title}`,
    "",
    "| | measured | target | |",
    "|---|---|---|---|",
    ...rows,
    "",
    result.how,
    "",
    ...notes.map((note) => `- ${note}`),
  ].join("\n");
}

function noiseNote({ loadOfOthers }: MeasuredFigure): string {
  const noisy = loadOfOthers > QUIET_LOAD ? " (noisy: measure again)" : "";
  return `other processes used ${grouped(loadOfOthers * 100)} % of the processor meanwhile${noisy}`;
}

function verdict(row: FigureRow): string {
  if (row.target === null) return "";
  return row.ok === null ? "unknown" : row.ok ? "ok" : "MISSED";
}
