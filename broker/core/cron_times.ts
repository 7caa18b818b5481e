/**
 * When cron expressions come due: five fields in an IANA time zone, read by croner. What daylight saving leaves out comes
 * right after the gap, once; what comes twice runs the first time; what has a wildcard in the hour follows real time
 * through both.
 */
import { Cron } from "croner";
import { MeshError } from "../api/errors.ts";
import { WallClock } from "./wall_clock.ts";

/** Runs in an hour that clocks repeat. */
const MOST_REPEATS = 60;

interface Field {
  readonly name: string;
  readonly least: number;
  readonly most: number;
}

const FIELDS: readonly Field[] = [
  { name: "minute", least: 0, most: 59 },
  { name: "hour", least: 0, most: 23 },
  { name: "day of month", least: 1, most: 31 },
  { name: "month", least: 1, most: 12 },
  { name: "weekday", least: 0, most: 7 },
];

/** The runs of one expression. */
export class CronTimes {
  readonly #cron: Cron;
  /** Where clocks may jump over a run: the same expression without jumps, and the zone's clocks. */
  readonly #jumping: { readonly wallCron: Cron; readonly wallClock: WallClock } | null;

  /**
   * Reads an expression.
   * @throws {MeshError} `invalid_cron` that names the field, `invalid_argument` for an unknown time zone.
   */
  constructor(expression: string, timeZone: string) {
    requireTimeZone(timeZone);
    const pattern = checked(expression);
    try {
      this.#cron = cronOf(pattern, timeZone);
      this.#jumping = pattern.split(" ")[1]!.includes("*")
        ? null
        : { wallCron: cronOf(pattern, "UTC"), wallClock: new WallClock(timeZone) };
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.replace(/^CronPattern: /, "") : "unknown";
      throw wrong(expression, why);
    }
  }

  /** The first run after `afterMs`; null when there is none. */
  next(afterMs: number): number | null {
    let runMs = this.#cron.nextRun(new Date(afterMs))?.getTime() ?? null;
    while (runMs !== null && this.#isRepeat(runMs)) {
      runMs = this.#cron.nextRun(new Date(runMs))?.getTime() ?? null;
    }
    const jumpMs = this.#runAfterJump(afterMs);
    return jumpMs !== null && (runMs === null || jumpMs < runMs) ? jumpMs : runMs;
  }

  /** The last `count` runs before `beforeMs`, oldest first. */
  before(beforeMs: number, count: number): number[] {
    const asked = this.#jumping === null ? count : count + MOST_REPEATS;
    const known = this.#cron.previousRuns(asked, new Date(beforeMs)).map((run) => run.getTime())
      .filter((atMs) => !this.#isRepeat(atMs));
    const runs: number[] = [];
    for (let atMs = known[count - 1] ?? known.at(-1) ?? null; atMs !== null && atMs < beforeMs;) {
      runs.push(atMs);
      atMs = this.next(atMs);
    }
    return runs.slice(-count);
  }

  #isRepeat(atMs: number): boolean {
    return this.#jumping !== null && this.#jumping.wallClock.isRepeat(atMs);
  }

  /** When the next time by the zone's clocks is one that they jump over: the moment of that, if it is to come. */
  #runAfterJump(afterMs: number): number | null {
    if (this.#jumping === null) return null;
    const { wallCron, wallClock } = this.#jumping;
    const wallRun = wallCron.nextRun(new Date(wallClock.at(afterMs)));
    const jumpMs = wallRun === null ? null : wallClock.jumpOver(wallRun.getTime());
    return jumpMs !== null && jumpMs > afterMs ? jumpMs : null;
  }
}

function cronOf(pattern: string, timezone: string): Cron {
  return new Cron(pattern, { timezone, mode: "5-part", paused: true });
}

/** @throws {MeshError} `invalid_argument` for a time zone that is not in the IANA database. */
export function requireTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new MeshError(
      "invalid_argument",
      `"${timeZone}" is no time zone; name one like Europe/Berlin, America/New_York or UTC`,
      { data: { field: "timeZone" } },
    );
  }
}

/** Returns the expression as croner reads it: `10/5` means `10-59/5`. */
function checked(expression: string): string {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== FIELDS.length || expression.trim() === "") {
    throw wrong(
      expression,
      "it has five fields: minute, hour, day of month, month, weekday; for example 0 9 * * 1-5",
    );
  }
  return fields.map((text, index) => checkedField(expression, text, FIELDS[index]!)).join(" ");
}

function checkedField(expression: string, text: string, field: Field): string {
  return text.split(",").map((part) => {
    const [range = "", step, ...rest] = part.split("/");
    if (range === "" || rest.length > 0) throw wrong(expression, `"${text}" is no ${field.name}`);
    if (step !== undefined && !/^[1-9]\d*$/.test(step)) {
      throw wrong(expression, `the step "${step}" of the ${field.name} is no number above 0`);
    }
    const [first = ""] = range.split("#");
    for (const bound of first.split("-")) requireWithin(expression, bound, field);
    if (step === undefined) return part;
    return /^\d+$/.test(range) ? `${range}-${field.most}/${step}` : part;
  }).join(",");
}

function requireWithin(expression: string, text: string, { name, least, most }: Field): void {
  if (!/^\d+$/.test(text)) return;
  const value = Number(text);
  if (value >= least && value <= most) return;
  throw wrong(expression, `the ${name} ${text} is not within ${least}-${most}`);
}

function wrong(expression: string, why: string): MeshError {
  return new MeshError("invalid_cron", `the cron expression "${expression}" is wrong: ${why}`, {
    data: { field: "cron" },
  });
}
