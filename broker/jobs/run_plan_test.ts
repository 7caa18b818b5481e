/** What is done about schedules that are due, in time or late. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CronTimes } from "../core/cron_times.ts";
import { type DueSchedule, MOST_COUNTED, planRuns, type RunPlan, runText } from "./run_plan.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const LIMITS = { graceMs: MINUTE_MS, runAllMost: 100 };
const NINE = Date.UTC(2026, 10, 21, 9);

function once(change: Partial<DueSchedule> = {}): DueSchedule {
  return { cron: null, timeZone: null, misfire: "run_once", nextRunAtMs: NINE, ...change };
}

function daily(change: Partial<DueSchedule> = {}): DueSchedule {
  return once({ cron: "0 9 * * *", timeZone: "UTC", ...change });
}

function timesOf(plan: RunPlan): number[] {
  return plan.runs.map((run) => run.atMs);
}

Deno.test("what is due runs under its own time, and a repeating one has a next", () => {
  const plan = planRuns(daily(), NINE + 40, LIMITS);
  assert.deepEqual(plan.runs, [{ atMs: NINE, late: null }]);
  assert.deepEqual([plan.missed, plan.nextMs], [0, NINE + DAY_MS]);
  assert.equal(planRuns(once(), NINE, LIMITS).nextMs, null);
});

Deno.test("up to a minute of lateness is none, whatever the policy", () => {
  for (const misfire of ["run_once", "skip", "run_all"] as const) {
    for (const schedule of [once({ misfire }), daily({ misfire })]) {
      assert.equal(planRuns(schedule, NINE + MINUTE_MS, LIMITS).missed, 0);
      assert.deepEqual(timesOf(planRuns(schedule, NINE + MINUTE_MS, LIMITS)), [NINE]);
      assert.equal(planRuns(schedule, NINE + MINUTE_MS + 1, LIMITS).missed, 1);
    }
  }
});

Deno.test("run_once makes one run for all that were missed, under the last one's time", () => {
  const plan = planRuns(daily(), NINE + 3.5 * DAY_MS, LIMITS);
  assert.deepEqual(plan.runs, [{ atMs: NINE + 3 * DAY_MS, late: { missed: 4, firstMs: NINE } }]);
  assert.deepEqual([plan.missed, plan.madeUp, plan.nextMs], [4, 1, NINE + 4 * DAY_MS]);
  assert.equal(plan.lastMissedMs, NINE + 3 * DAY_MS);
});

Deno.test("run_once needs no run of its own when one is due at its time just now", () => {
  const plan = planRuns(daily(), NINE + 2 * DAY_MS + 5_000, LIMITS);
  assert.deepEqual(plan.runs, [{ atMs: NINE + 2 * DAY_MS, late: { missed: 2, firstMs: NINE } }]);
});

Deno.test("skip makes no missed run, but the one that is due", () => {
  const late = planRuns(daily({ misfire: "skip" }), NINE + 3.5 * DAY_MS, LIMITS);
  assert.deepEqual([late.runs.length, late.missed, late.madeUp], [0, 4, 0]);
  const due = planRuns(daily({ misfire: "skip" }), NINE + 2 * DAY_MS, LIMITS);
  assert.deepEqual([timesOf(due), due.missed], [[NINE + 2 * DAY_MS], 2]);
  assert.deepEqual(planRuns(once({ misfire: "skip" }), NINE + DAY_MS, LIMITS).runs, []);
});

Deno.test("run_all makes each missed run, the last 100 of more", () => {
  const four = planRuns(daily({ misfire: "run_all" }), NINE + 3.5 * DAY_MS, LIMITS);
  assert.deepEqual(timesOf(four), [0, 1, 2, 3].map((day) => NINE + day * DAY_MS));
  assert.deepEqual([four.missed, four.madeUp], [4, 4]);
  const many = planRuns(daily({ misfire: "run_all" }), NINE + 149.5 * DAY_MS, LIMITS);
  assert.deepEqual([many.missed, many.madeUp, many.runs.length], [150, 100, 100]);
  assert.deepEqual([many.runs[0]!.atMs, many.runs[99]!.atMs], [
    NINE + 50 * DAY_MS,
    NINE + 149 * DAY_MS,
  ]);
});

Deno.test("a year of missed minutes is counted no further than it need be", () => {
  const minutely = daily({ cron: "* * * * *" });
  const plan = planRuns(minutely, NINE + 365 * DAY_MS, LIMITS);
  assert.equal(plan.missed, MOST_COUNTED);
  assert.equal(plan.runs.length, 2);
  assert.match(runText("x", plan.runs[0]!), /1440 or more missed runs/);
});

Deno.test("the text of a late run says so, that of any other is the schedule's own", () => {
  assert.equal(runText("stretch", { atMs: NINE, late: null }), "stretch");
  const late = { missed: 1, firstMs: NINE };
  assert.match(runText("stretch", { atMs: NINE, late }), /^stretch\n\n\[late: it was due at 2026/);
  assert.match(runText("x", { atMs: NINE, late: { ...late, missed: 3 } }), /3 missed runs/);
});

Deno.test("whatever the time: runs are in order, none in the future, none before its turn", () => {
  fc.assert(fc.property(
    fc.constantFrom("run_once" as const, "skip" as const, "run_all" as const),
    fc.constantFrom("*/10 * * * *", "30 2 * * *", "0 9 31 * *", "0 */6 * * 1-5"),
    fc.constantFrom("Europe/Berlin", "America/New_York"),
    fc.integer({ min: 0, max: 400 * 1_440 }),
    fc.integer({ min: 0, max: 3 * 1_440 * 60 }),
    (misfire, cron, timeZone, startMinute, laterSeconds) => {
      const times = new CronTimes(cron, timeZone);
      const nextRunAtMs = times.next(Date.UTC(2026, 0, 1) + startMinute * MINUTE_MS)!;
      const nowMs = nextRunAtMs + laterSeconds * 1_000;
      const plan = planRuns({ cron, timeZone, misfire, nextRunAtMs }, nowMs, LIMITS);
      let beforeMs = nextRunAtMs - 1;
      for (const { atMs } of plan.runs) {
        assert.ok(atMs > beforeMs && atMs <= nowMs);
        assert.ok(times.next(atMs - 1) === atMs, "a run is an occurrence");
        beforeMs = atMs;
      }
      assert.ok(plan.nextMs! > nowMs);
      assert.equal(plan.nextMs, times.next(nowMs));
      const isLate = nowMs - nextRunAtMs > LIMITS.graceMs;
      assert.equal(plan.missed > 0, isLate);
      if (misfire !== "skip" || !isLate) assert.ok(plan.runs.length > 0);
    },
  ));
});
