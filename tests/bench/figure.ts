/**
 * What one figure of the benchmark says: its target, what was measured, and whether that is good enough.
 */

/** One measured value. */
export interface FigureRow {
  readonly label: string;
  /** With its unit, for people. */
  readonly value: string;
  /** What the value must be; null where there is no target. */
  readonly target: string | null;
  /** Whether the target is met; null where there is none, or where nothing was measured. */
  readonly ok: boolean | null;
}

export interface FigureResult {
  readonly name: string;
  readonly title: string;
  /** How it was measured, in a few sentences. */
  readonly how: string;
  readonly rows: readonly FigureRow[];
  /** What a reader should know about this run. */
  readonly notes: readonly string[];
  /** The raw numbers, for machines. */
  readonly numbers: Readonly<Record<string, number | null>>;
}

/** A row without a target. */
export function plainRow(label: string, value: string): FigureRow {
  return { label, value, target: null, ok: null };
}

/** A row that compares `measured` with a bound; `unit` stands behind both numbers. */
export function boundedRow(
  label: string,
  measured: number,
  bound: { readonly atMost: number } | { readonly atLeast: number },
  unit: string,
  digits = 0,
): FigureRow {
  const [word, limit, ok] = "atMost" in bound
    ? ["at most", bound.atMost, measured <= bound.atMost] as const
    : ["at least", bound.atLeast, measured >= bound.atLeast] as const;
  return {
    label,
    value: `${grouped(measured, digits)}${unit}`,
    target: `${word} ${grouped(limit, Number.isInteger(limit) ? 0 : digits)}${unit}`,
    ok,
  };
}

/** A value that could not be had, with the reason; its target stays, and it counts as not met. */
export function missingRow(label: string, target: string, reason: string): FigureRow {
  return { label, value: `not measured: ${reason}`, target, ok: null };
}

/** `value` with groups of three digits and `digits` places. */
export function grouped(value: number, digits = 0): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
