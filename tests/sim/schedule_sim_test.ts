/** A schedule through days of simulated time: clocks that step both ways, brokers that are down, daylight saving. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Misfire } from "../../broker/api/schedules.ts";
import { CronTimes } from "../../broker/core/cron_times.ts";
import { DueLoop } from "../../broker/jobs/due_loop.ts";
import { planRuns } from "../../broker/jobs/run_plan.ts";
import { FakeClock, settle } from "./fake_clock.ts";

const MINUTE_MS = 60_000;
const LIMITS = { graceMs: MINUTE_MS, runAllMost: 100 };
const CRON = "*/30 * * * *";

/** One stored schedule, and the broker that runs it while one does. */
class Story {
  readonly timers: FakeClock;
  readonly times: CronTimes;
  readonly createdAtMs: number;
  /** Occurrence -> the wall clock's time when it was sent. */
  readonly sent = new Map<number, number>();
  missed = 0;
  madeUp = 0;
  nextRunAtMs: number;
  #steppedMs = 0;
  #loop: DueLoop | null = null;

  constructor(readonly timeZone: string, readonly misfire: Misfire, startMs: number) {
    this.timers = new FakeClock(startMs);
    this.createdAtMs = startMs;
    this.times = new CronTimes(CRON, timeZone);
    this.nextRunAtMs = this.times.next(startMs)!;
    this.start();
  }

  now(): number {
    return this.timers.now() + this.#steppedMs;
  }

  start(): void {
    this.#loop = new DueLoop({
      clock: { now: () => this.now(), after: this.timers.after.bind(this.timers) },
      work: {
        runDue: () => Promise.resolve(this.#runDue()),
        untilNext: () => Promise.resolve(this.nextRunAtMs - this.now()),
      },
      onError: (error) => assert.fail(String(error)),
    });
    this.#loop.wake();
  }

  stop(): void {
    this.#loop?.stop();
  }

  step(byMs: number): void {
    this.#steppedMs += byMs;
  }

  #runDue(): boolean {
    const nowMs = this.now();
    if (this.nextRunAtMs > nowMs) return false;
    const { timeZone, misfire, nextRunAtMs } = this;
    const plan = planRuns({ cron: CRON, timeZone, misfire, nextRunAtMs }, nowMs, LIMITS);
    for (const { atMs } of plan.runs) {
      assert.ok(!this.sent.has(atMs), `${new Date(atMs).toISOString()} is sent twice`);
      assert.ok(atMs <= nowMs, "nothing is sent before its time");
      this.sent.set(atMs, nowMs);
    }
    this.missed += plan.missed;
    this.madeUp += plan.madeUp;
    this.nextRunAtMs = plan.nextMs!;
    return false;
  }

  /** The occurrences that are behind it. */
  past(): number[] {
    const past: number[] = [];
    let atMs = this.times.next(this.createdAtMs)!;
    while (atMs < this.nextRunAtMs) {
      past.push(atMs);
      atMs = this.times.next(atMs)!;
    }
    return past;
  }
}

const action = fc.oneof(
  fc.record({ kind: fc.constant("run" as const), minutes: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant("down" as const), minutes: fc.integer({ min: 1, max: 600 }) }),
  fc.record({ kind: fc.constant("step" as const), minutes: fc.integer({ min: -600, max: 600 }) }),
);
const story = {
  actions: fc.array(action, { maxLength: 12 }),
  timeZone: fc.constantFrom("Europe/Berlin", "America/New_York", "UTC"),
  // The nights in which the clocks of both zones change, and one in which they do not.
  startMs: fc.constantFrom("2026-03-07T18:00Z", "2026-03-28T18:00Z", "2026-10-24T18:00Z")
    .map((text) => Date.parse(text)),
  misfire: fc.constantFrom("run_once" as const, "skip" as const, "run_all" as const),
};

Deno.test("whatever happens to brokers and clocks, each occurrence is sent once or counted as missed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.record(story), async ({ actions, timeZone, startMs, misfire }) => {
      const told = new Story(timeZone, misfire, startMs);
      await settle();
      for (const { kind, minutes } of actions) {
        if (kind === "step") told.step(minutes * MINUTE_MS);
        if (kind === "down") told.stop();
        await told.timers.advance((kind === "step" ? 1 : minutes) * MINUTE_MS);
        if (kind === "down") told.start();
        await settle();
      }
      told.stop();
      const past = told.past();
      const onTime = told.sent.size - told.madeUp;
      if (misfire === "run_all") assert.deepEqual([...told.sent.keys()].sort(), past);
      if (misfire === "skip") assert.equal(onTime + told.missed, past.length);
      for (const atMs of told.sent.keys()) assert.ok(past.includes(atMs));
      assert.ok(told.nextRunAtMs > told.now() - MINUTE_MS, "nothing due is left behind");
    }),
    { numRuns: 60 },
  );
});

Deno.test("as long as its broker runs and its clock is right, every run is in time", async () => {
  for (const timeZone of ["Europe/Berlin", "America/New_York"]) {
    for (const start of ["2026-03-28T18:00Z", "2026-10-31T18:00Z"]) {
      const told = new Story(timeZone, "run_once", Date.parse(start));
      await told.timers.advance(24 * 60 * MINUTE_MS);
      told.stop();
      assert.equal(told.missed, 0);
      assert.equal(told.sent.size, 48, "real time has 48 half hours, whatever the clocks show");
      for (const [atMs, sentAtMs] of told.sent) assert.equal(sentAtMs, atMs);
    }
  }
});
