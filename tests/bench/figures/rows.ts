/**
 * Rows that several figures show.
 */
import { boundedRow, type FigureRow, grouped, plainRow } from "../figure.ts";
import type { CommitUse, LoopLag } from "../metrics_text.ts";

/** Deliveries that were lost, doubled, out of order or never closed, and refused sends: none may be. */
export function wrongRow(count: number): FigureRow {
  return boundedRow("lost, doubled, out of order, refused", count, { atMost: 0 }, "");
}

/** Whether the broker's event loop was ever blocked for longer than 50 ms. */
export function lagRow(lag: LoopLag): FigureRow {
  const within = lag.withinMs === null ? "beyond the histogram" : `all within ${lag.withinMs} ms`;
  const over = lag.over50Ms === 0 ? "" : `, ${lag.over50Ms} over 50 ms`;
  return {
    label: "event loop of the broker blocked",
    value: `${within}${over} (${grouped(lag.samples)} samples)`,
    target: "never over 50 ms",
    ok: lag.over50Ms === 0,
  };
}

/** What the broker and its store spend on the load. */
export function costRows(
  usedMs: number,
  count: number,
  what: "message" | "delivery",
  { commits, meanMs }: CommitUse,
): FigureRow[] {
  return [
    plainRow(
      `processor time of the broker per ${what}, its store included`,
      `${grouped(usedMs * 1000 / count, 1)} µs`,
    ),
    plainRow(
      "commits of the store",
      `${grouped(commits)}, ${grouped(meanMs, 2)} ms each on average`,
    ),
  ];
}
