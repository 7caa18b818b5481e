/**
 * What the clocks of a time zone show, and which of their times daylight saving leaves out or repeats. Wall times are in
 * milliseconds as if the zone were UTC.
 */

const DAY_MS = 86_400_000;

export class WallClock {
  readonly #format: Intl.DateTimeFormat;

  /** @throws {RangeError} for a zone that is not in the IANA database. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("en", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** What the clocks show at a moment, in whole seconds. */
  at(timeMs: number): number {
    const parts = this.#format.formatToParts(timeMs);
    const [year, month, day, hour, minute, second] = [
      "year",
      "month",
      "day",
      "hour",
      "minute",
      "second",
    ].map((type) => Number(parts.find((part) => part.type === type)?.value));
    return Date.UTC(year!, month! - 1, day, hour, minute, second);
  }

  /** The moment at which the clocks jump over a wall time; null for one that they show. */
  jumpOver(wallMs: number): number | null {
    let [beforeMs, afterMs] = [wallMs - DAY_MS, wallMs + DAY_MS];
    const offsets = [this.#offset(beforeMs), this.#offset(afterMs)] as const;
    if (offsets[1] <= offsets[0]) return null;
    if (offsets.some((offset) => this.#offset(wallMs - offset) === offset)) return null;
    while (afterMs - beforeMs > 1_000) {
      const middleMs = Math.round((beforeMs + afterMs) / 2_000) * 1_000;
      if (this.#offset(middleMs) === offsets[0]) beforeMs = middleMs;
      else afterMs = middleMs;
    }
    return afterMs;
  }

  /** Whether the clocks, set back, show at a moment what they have shown before. */
  isRepeat(timeMs: number): boolean {
    const setBackMs = this.#offset(timeMs - DAY_MS) - this.#offset(timeMs);
    return setBackMs > 0 && this.at(timeMs - setBackMs) === this.at(timeMs);
  }

  #offset(timeMs: number): number {
    return this.at(timeMs) - Math.floor(timeMs / 1_000) * 1_000;
  }
}
