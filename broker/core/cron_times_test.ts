/** Cron expressions in time zones: daylight saving, ends of months, and what is refused. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MeshError } from "../api/errors.ts";
import { CronTimes } from "./cron_times.ts";

const MINUTE_MS = 60_000;

/** The first `count` runs after `from`, as ISO 8601 to the minute. */
function runs(expression: string, timeZone: string, from: string, count: number): string[] {
  const times = new CronTimes(expression, timeZone);
  const found: string[] = [];
  let atMs: number | null = Date.parse(from);
  while (found.length < count && (atMs = times.next(atMs)) !== null) {
    found.push(new Date(atMs).toISOString().slice(0, 16));
  }
  return found;
}

const BERLIN = "Europe/Berlin";
const NEW_YORK = "America/New_York";

Deno.test("a time that the gap of daylight saving leaves out comes right after it, once", () => {
  assert.deepEqual(runs("30 2 * * *", BERLIN, "2026-03-28T12:00Z", 2), [
    "2026-03-29T01:00",
    "2026-03-30T00:30",
  ]);
  assert.deepEqual(runs("30 2 * * *", NEW_YORK, "2026-03-07T12:00Z", 2), [
    "2026-03-08T07:00",
    "2026-03-09T06:30",
  ]);
});

Deno.test("of several times in the gap one run is left, and the others of the hours around it", () => {
  for (const expression of ["15,45 2 * * *", "*/30 2 * * *", "0-50/10 2 * * *"]) {
    assert.deepEqual(runs(expression, BERLIN, "2026-03-28T12:00Z", 1), ["2026-03-29T01:00"]);
  }
  assert.deepEqual(runs("30 1-3 * * *", BERLIN, "2026-03-28T12:00Z", 4), [
    "2026-03-29T00:30",
    "2026-03-29T01:00",
    "2026-03-29T01:30",
    "2026-03-29T23:30",
  ]);
  const once = new CronTimes("15,45 2 29 3 *", BERLIN);
  assert.deepEqual(once.before(Date.parse("2026-03-30T00:00Z"), 2), [
    Date.parse("2025-03-29T01:45Z"),
    Date.parse("2026-03-29T01:00Z"),
  ]);
});

Deno.test("a fixed time that comes twice runs the first time alone", () => {
  assert.deepEqual(runs("30 2 * * *", BERLIN, "2026-10-24T12:00Z", 2), [
    "2026-10-25T00:30",
    "2026-10-26T01:30",
  ]);
  assert.deepEqual(runs("30 1 * * *", NEW_YORK, "2026-10-31T12:00Z", 2), [
    "2026-11-01T05:30",
    "2026-11-02T06:30",
  ]);
});

Deno.test("so do several fixed times", () => {
  assert.deepEqual(runs("15,45 2 * * *", BERLIN, "2026-10-24T12:00Z", 3), [
    "2026-10-25T00:15",
    "2026-10-25T00:45",
    "2026-10-26T01:15",
  ]);
  assert.deepEqual(runs("0 1-3 * * *", BERLIN, "2026-10-24T12:00Z", 4), [
    "2026-10-24T23:00",
    "2026-10-25T00:00",
    "2026-10-25T02:00",
    "2026-10-26T00:00",
  ]);
  const times = new CronTimes("15,45 2 * * *", BERLIN);
  assert.deepEqual(times.before(Date.parse("2026-10-25T12:00Z"), 1), [
    Date.parse("2026-10-25T00:45Z"),
  ]);
});

Deno.test("what repeats every hour follows real time through gap and overlap", () => {
  assert.deepEqual(runs("*/30 * * * *", BERLIN, "2026-03-29T00:00Z", 4), [
    "2026-03-29T00:30",
    "2026-03-29T01:00",
    "2026-03-29T01:30",
    "2026-03-29T02:00",
  ]);
  assert.deepEqual(runs("*/30 * * * *", NEW_YORK, "2026-11-01T05:00Z", 4), [
    "2026-11-01T05:30",
    "2026-11-01T06:00",
    "2026-11-01T06:30",
    "2026-11-01T07:00",
  ]);
});

Deno.test("the 31st comes in months that have one, the 29th of February in leap years", () => {
  assert.deepEqual(runs("0 9 31 * *", "UTC", "2026-01-31T09:00Z", 3), [
    "2026-03-31T09:00",
    "2026-05-31T09:00",
    "2026-07-31T09:00",
  ]);
  assert.deepEqual(runs("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", 2), [
    "2028-02-29T00:00",
    "2032-02-29T00:00",
  ]);
  assert.deepEqual(runs("0 0 30 2 *", "UTC", "2026-01-01T00:00Z", 1), []);
});

Deno.test("day of month and weekday are either-or when both are given", () => {
  assert.deepEqual(runs("0 0 13 * 5", "UTC", "2026-01-08T00:00Z", 3), [
    "2026-01-09T00:00",
    "2026-01-13T00:00",
    "2026-01-16T00:00",
  ]);
});

Deno.test("Sunday is 0, 7 and SUN; a number with a step means from there on", () => {
  const sundays = ["2026-01-04T00:00", "2026-01-11T00:00"];
  for (const day of ["0", "7", "SUN"]) {
    assert.deepEqual(runs(`0 0 * * ${day}`, "UTC", "2026-01-01T00:00Z", 2), sundays);
  }
  assert.deepEqual(runs("10/25 * * * *", "UTC", "2026-01-01T00:00Z", 3), [
    "2026-01-01T00:10",
    "2026-01-01T00:35",
    "2026-01-01T01:10",
  ]);
});

for (
  const [expression, why] of [
    ["* * * *", /five fields/],
    ["* * * * * *", /five fields/],
    ["", /five fields/],
    ["@daily", /five fields/],
    ["60 * * * *", /minute 60 is not within 0-59/],
    ["* 24 * * *", /hour 24 is not within 0-23/],
    ["0 0 0 * *", /day of month 0 is not within 1-31/],
    ["0 0 1-32 * *", /day of month 32/],
    ["0 0 * 13 *", /month 13 is not within 1-12/],
    ["0 0 * * 8", /weekday 8 is not within 0-7/],
    ["*/0 * * * *", /step "0" of the minute/],
    ["*/x * * * *", /step "x" of the minute/],
    ["1,,2 * * * *", /no minute/],
    ["5-1 * * * *", /larger/],
    ["a b c d e", /illegal/],
  ] as const
) {
  Deno.test(`the expression "${expression}" is refused with what is wrong`, () => {
    assert.throws(() => new CronTimes(expression, "UTC"), (error) => {
      assert.ok(error instanceof MeshError);
      assert.equal(error.code, "invalid_cron");
      assert.ok(error.message.includes(`"${expression}"`));
      assert.match(error.message, why);
      return true;
    });
  });
}

Deno.test("a time zone that does not exist is refused by its name", () => {
  assert.throws(
    () => new CronTimes("* * * * *", "Mars/Olympus"),
    (error) => error instanceof MeshError && /"Mars\/Olympus" is no time zone/.test(error.message),
  );
});

/** What one field lets through, written and as a set. */
function field(least: number, most: number): fc.Arbitrary<{ text: string; fits: Set<number> }> {
  const all = Array.from({ length: most - least + 1 }, (_, index) => least + index);
  const any = fc.constant({ text: "*", fits: new Set(all) });
  const list = fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 4 })
    .map((values) => ({ text: values.join(","), fits: new Set(values) }));
  const stepped = fc.integer({ min: 1, max: most }).map((step) => ({
    text: `*/${step}`,
    fits: new Set(all.filter((value) => (value - least) % step === 0)),
  }));
  return fc.oneof(any, list, stepped);
}

Deno.test("in UTC the next run is the first minute that fits all fields", () => {
  fc.assert(fc.property(
    field(0, 59),
    field(0, 23),
    field(1, 12),
    field(0, 6),
    fc.integer({ min: 0, max: 4 * 365 * 1_440 }),
    (minute, hour, month, weekday, offset) => {
      const fromMs = Date.UTC(2026, 0, 1) + offset * MINUTE_MS;
      const expression = `${minute.text} ${hour.text} * ${month.text} ${weekday.text}`;
      const found = new CronTimes(expression, "UTC").next(fromMs)!;
      const fits = (atMs: number) => {
        const at = new Date(atMs);
        return minute.fits.has(at.getUTCMinutes()) && hour.fits.has(at.getUTCHours()) &&
          month.fits.has(at.getUTCMonth() + 1) && weekday.fits.has(at.getUTCDay());
      };
      assert.ok(found > fromMs && fits(found), expression);
      // Two days before it are as good as all: an earlier one that was left out would be as likely there.
      const sinceMs = Math.max(fromMs + MINUTE_MS, found - 2 * 1_440 * MINUTE_MS);
      for (let atMs = sinceMs; atMs < found; atMs += MINUTE_MS) assert.ok(!fits(atMs), expression);
    },
  ));
});

Deno.test("the runs before a time are those that next() finds, in any zone", () => {
  fc.assert(fc.property(
    fc.constantFrom("*/20 * * * *", "30 2 * * *", "0 9 31 * *", "15 1,3 * * 0"),
    fc.constantFrom(BERLIN, NEW_YORK, "UTC", "Asia/Kolkata"),
    fc.integer({ min: 0, max: 3 * 365 * 1_440 }),
    (expression, zone, offset) => {
      const times = new CronTimes(expression, zone);
      const beforeMs = Date.UTC(2026, 0, 1) + offset * MINUTE_MS;
      const [first, ...rest] = times.before(beforeMs, 5);
      let atMs = first!;
      for (const run of rest) assert.equal(atMs = times.next(atMs)!, run);
      assert.ok(atMs < beforeMs && times.next(atMs)! >= beforeMs);
    },
  ));
});
