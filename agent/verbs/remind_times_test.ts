/** Times as people write them. */
import assert from "node:assert/strict";
import { delaySeconds, timeMs } from "./remind_times.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 12);

async function at(text: string, timeZone = "UTC"): Promise<string> {
  return new Date(await timeMs(text, timeZone, NOW_MS)).toISOString();
}

Deno.test("a span has units, several of them, or is in seconds", () => {
  const spans: [string, number][] = [
    ["90", 90],
    ["90s", 90],
    ["10m", 600],
    ["10 min", 600],
    ["2h", 7_200],
    ["1h30m", 5_400],
    ["1.5 hr", 5_400],
    ["3d", 259_200],
    ["1 day", 86_400],
    ["0", 0],
  ];
  for (const [text, seconds] of spans) assert.equal(delaySeconds(text), seconds, text);
  for (const text of ["", "soon", "-5m", "5x", "10mm", "h"]) {
    assert.throws(() => delaySeconds(text), /no span of time/, text);
  }
});

Deno.test("an hour and minute is the next one by the clocks of the zone", async () => {
  assert.equal(await at("12:30"), "2026-11-21T12:30:00.000Z");
  assert.equal(await at("9:05"), "2026-11-22T09:05:00.000Z");
  assert.equal(await at("09:05", "Asia/Tokyo"), "2026-11-22T00:05:00.000Z");
});

Deno.test("a date and time is by the clocks of the zone, unless it names an offset", async () => {
  assert.equal(await at("2026-12-24T18:00", "Europe/Berlin"), "2026-12-24T17:00:00.000Z");
  assert.equal(await at("2026-12-24 18:00:30", "UTC"), "2026-12-24T18:00:30.000Z");
  assert.equal(await at("2026-12-24", "Europe/Berlin"), "2026-12-23T23:00:00.000Z");
  assert.equal(await at("2026-12-24T18:00Z", "Europe/Berlin"), "2026-12-24T18:00:00.000Z");
  assert.equal(await at("2026-12-24T18:00+05:30"), "2026-12-24T12:30:00.000Z");
  assert.equal(await at("2028-02-29T08:00"), "2028-02-29T08:00:00.000Z");
});

Deno.test("a time in the gap of daylight saving is right after it, a doubled one the first", async () => {
  assert.equal(await at("2027-03-28T02:30", "Europe/Berlin"), "2027-03-28T01:00:00.000Z");
  assert.equal(await at("2027-10-31T02:30", "Europe/Berlin"), "2027-10-31T00:30:00.000Z");
});

Deno.test("what is no time is refused with how to write one", async () => {
  for (const text of ["25:00", "12:60", "noon", "2026-02-30T09:00", "2027-02-29", "2026-13-01"]) {
    await assert.rejects(at(text), (error: Error & { hint?: string }) => {
      assert.match(error.message, new RegExp(`"${text}" is no time`));
      assert.match(error.hint ?? "", /17:45/);
      return true;
    });
  }
  await assert.rejects(at("12:30", "Mars/X"), /"Mars\/X" is no time zone/);
});
