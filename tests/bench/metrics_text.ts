/**
 * Reads the figures of a broker's `/metrics`: the text format of Prometheus.
 */

/** Values by sample, as it is written: name and labels. */
export type MetricsText = ReadonlyMap<string, number>;

/** Reads all samples of a page. */
export function readMetrics(text: string): MetricsText {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const end = line.lastIndexOf(" ");
    samples.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return samples;
}

/** By how much a counter grew; labelled ones are added up. */
export function growth(before: MetricsText, after: MetricsText, name: string): number {
  const total = (samples: MetricsText) => {
    let sum = 0;
    for (const [sample, value] of samples) {
      if (sample === name || sample.startsWith(`${name}{`)) sum += value;
    }
    return sum;
  };
  return total(after) - total(before);
}

/** How late the timers of the broker's event loop ran between two pages. */
export interface LoopLag {
  readonly samples: number;
  /** How many were later than 50 ms. */
  readonly over50Ms: number;
  /** The smallest bound of the histogram that all of them keep; null beyond the last one. */
  readonly withinMs: number | null;
}

const LAG = "broker_event_loop_lag_seconds";

/** What each sample grew by between two pages of one broker, summed over several such pairs. */
export function growthInAll(pairs: readonly (readonly [MetricsText, MetricsText])[]): MetricsText {
  const grown = new Map<string, number>();
  for (const [before, after] of pairs) {
    for (const [sample, value] of after) {
      grown.set(sample, (grown.get(sample) ?? 0) + value - (before.get(sample) ?? 0));
    }
  }
  return grown;
}

/** The event loop's lag between two pages of one broker. */
export function loopLag(before: MetricsText, after: MetricsText): LoopLag {
  const count = (sample: string) => (after.get(sample) ?? 0) - (before.get(sample) ?? 0);
  const samples = count(`${LAG}_count`);
  if (samples === 0) throw new Error(`/metrics shows no ${LAG}`);
  const bounds: number[] = [];
  for (const sample of after.keys()) {
    const bound = new RegExp(`^${LAG}_bucket\\{le="([0-9.e-]+)"\\}$`).exec(sample)?.[1];
    if (bound !== undefined) bounds.push(Number(bound));
  }
  const bucket = (bound: number) => count(`${LAG}_bucket{le="${bound}"}`);
  const within = bounds.toSorted((a, b) => a - b).find((bound) => bucket(bound) === samples);
  return {
    samples,
    over50Ms: samples - bucket(0.05),
    withinMs: within === undefined ? null : within * 1000,
  };
}

/** How the store was used between two pages. */
export interface CommitUse {
  readonly commits: number;
  /** The mean time of one, in milliseconds. */
  readonly meanMs: number;
}

/** The store's commits between two pages of one broker. */
export function commitUse(before: MetricsText, after: MetricsText): CommitUse {
  const commits = growth(before, after, "broker_commit_seconds_count");
  const seconds = growth(before, after, "broker_commit_seconds_sum");
  return { commits, meanMs: commits === 0 ? 0 : seconds * 1000 / commits };
}
