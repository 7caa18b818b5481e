/**
 * What is to be done about a schedule that is due: which of its runs are made, which count as missed, and when it comes
 * next. Pure; times are those of the schedule's own clock.
 */
import type { Misfire } from "../api/schedules.ts";
import { CronTimes } from "../core/cron_times.ts";

/** Missed runs are counted as far as this: reading a year of minutes would keep the event loop. */
export const MOST_COUNTED = 1_440;

/** What the plan needs of a schedule. */
export interface DueSchedule {
  readonly cron: string | null;
  readonly timeZone: string | null;
  readonly misfire: Misfire;
  /** The first run that has not been made. */
  readonly nextRunAtMs: number;
}

/** One message to send. */
export interface Run {
  /** The occurrence it stands for, which names it. */
  readonly atMs: number;
  /** Set where it is late: how many runs it stands for, and the first of them. */
  readonly late: { readonly missed: number; readonly firstMs: number } | null;
}

export interface RunPlan {
  /** In the order of their times. */
  readonly runs: readonly Run[];
  /** Runs that did not happen at their time; `MOST_COUNTED` stands for that many or more. */
  readonly missed: number;
  readonly firstMissedMs: number;
  readonly lastMissedMs: number;
  /** How many of `runs` make up for missed ones. */
  readonly madeUp: number;
  /** When it comes next; null when it is over. */
  readonly nextMs: number | null;
}

export interface PlanLimits {
  /** Lateness up to this is none: a restart takes its time. */
  readonly graceMs: number;
  /** So many missed runs are made up for by `run_all`. */
  readonly runAllMost: number;
}

/**
 * Plans the runs of a schedule that is due at `nowMs`.
 * @throws {MeshError} when its expression cannot be read any more.
 */
export function planRuns(schedule: DueSchedule, nowMs: number, limits: PlanLimits): RunPlan {
  const { cron, timeZone, nextRunAtMs } = schedule;
  const sinceMs = nowMs - limits.graceMs;
  if (cron === null || timeZone === null) return planOnce(schedule, nextRunAtMs < sinceMs);
  const times = new CronTimes(cron, timeZone);
  const nextMs = times.next(nowMs);
  if (nextRunAtMs >= sinceMs) {
    return { ...noneMissed(runsOf(times, nextRunAtMs, nowMs)), nextMs };
  }
  const onTime = runsOf(times, times.next(sinceMs - 1), nowMs);
  const last = times.before(sinceMs, 1)[0] ?? nextRunAtMs;
  const lastMissedMs = Math.max(last, nextRunAtMs);
  const missed = countRuns(times, nextRunAtMs, lastMissedMs);
  const late = { missed, firstMs: nextRunAtMs };
  const found = { missed, firstMissedMs: nextRunAtMs, lastMissedMs, nextMs };
  switch (schedule.misfire) {
    case "skip":
      return { ...found, runs: onTime, madeUp: 0 };
    case "run_once": {
      const [first, ...rest] = onTime;
      const run = { atMs: first?.atMs ?? lastMissedMs, late };
      return { ...found, runs: [run, ...rest], madeUp: 1 };
    }
    case "run_all": {
      const made = times.before(sinceMs, limits.runAllMost)
        .filter((atMs) => atMs > nextRunAtMs);
      // The stored one counts even if the expression's reading has changed since.
      if (made.length < limits.runAllMost) made.unshift(nextRunAtMs);
      const runs = made.map((atMs) => ({ atMs, late: { missed: 1, firstMs: atMs } }));
      return { ...found, runs: [...runs, ...onTime], madeUp: runs.length };
    }
  }
}

function planOnce({ nextRunAtMs, misfire }: DueSchedule, isLate: boolean): RunPlan {
  if (!isLate) return { ...noneMissed([{ atMs: nextRunAtMs, late: null }]), nextMs: null };
  const run = { atMs: nextRunAtMs, late: { missed: 1, firstMs: nextRunAtMs } };
  const runs = misfire === "skip" ? [] : [run];
  return {
    runs,
    missed: 1,
    firstMissedMs: nextRunAtMs,
    lastMissedMs: nextRunAtMs,
    madeUp: runs.length,
    nextMs: null,
  };
}

function noneMissed(runs: readonly Run[]): Omit<RunPlan, "nextMs"> {
  return { runs, missed: 0, firstMissedMs: 0, lastMissedMs: 0, madeUp: 0 };
}

/** The runs from `firstMs`, itself one, to `nowMs`, which is not far. */
function runsOf(times: CronTimes, firstMs: number | null, nowMs: number): Run[] {
  const runs: Run[] = [];
  for (let atMs = firstMs; atMs !== null && atMs <= nowMs; atMs = times.next(atMs)) {
    runs.push({ atMs, late: null });
    if (runs.length >= MOST_COUNTED) break;
  }
  return runs;
}

function countRuns(times: CronTimes, firstMs: number, lastMs: number): number {
  let count = 1;
  for (let atMs = times.next(firstMs); atMs !== null && atMs <= lastMs; atMs = times.next(atMs)) {
    count += 1;
    if (count >= MOST_COUNTED) break;
  }
  return count;
}

/** The text of a run: that of its schedule, with a word on its lateness. */
export function runText(message: string, { late }: Run): string {
  if (late === null) return message;
  const due = new Date(late.firstMs).toISOString();
  if (late.missed === 1) return `${message}\n\n[late: it was due at ${due}]`;
  const count = late.missed >= MOST_COUNTED ? `${MOST_COUNTED} or more` : String(late.missed);
  return `${message}\n\n[late: this stands for ${count} missed runs, the first due at ${due}]`;
}
