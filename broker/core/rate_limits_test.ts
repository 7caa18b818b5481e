/** Token buckets at their limit, one past it, and over time. */
import assert from "node:assert/strict";
import { MeshError } from "../api/errors.ts";
import { RateLimits } from "./rate_limits.ts";

/** A clock that tests move by hand; it has no timers. */
function handClock(startMs: number) {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    after: () => () => {},
    pass: (ms: number) => nowMs += ms,
  };
}

const RATE = { perMinute: 60, burst: 3 };

Deno.test("a bucket gives its burst, then one for each part of a minute", () => {
  const clock = handClock(1_000);
  const rates = new RateLimits(clock);
  assert.deepEqual([1, 2, 3].map(() => rates.take("a", RATE)), [0, 0, 0]);
  assert.equal(rates.take("a", RATE), 1_000);
  clock.pass(999);
  assert.equal(rates.take("a", RATE), 1);
  clock.pass(1);
  assert.equal(rates.take("a", RATE), 0);
  assert.equal(rates.take("a", RATE), 1_000);
});

Deno.test("a bucket that rests is full again, and never more than full", () => {
  const clock = handClock(0);
  const rates = new RateLimits(clock);
  for (let count = 0; count < 3; count += 1) rates.take("a", RATE);
  clock.pass(3_600_000);
  assert.deepEqual([1, 2, 3, 4].map(() => rates.take("a", RATE)), [0, 0, 0, 1_000]);
});

Deno.test("buckets of different keys do not know each other, and looking takes nothing", () => {
  const rates = new RateLimits(handClock(0));
  for (let count = 0; count < 3; count += 1) {
    assert.equal(rates.wait("a", RATE), 0);
    rates.take("a", RATE);
  }
  assert.equal(rates.wait("a", RATE), 1_000);
  assert.equal(rates.wait("b", RATE), 0);
  assert.equal(rates.take("b", RATE), 0);
});

Deno.test("a clock that goes back takes nothing away", () => {
  const clock = handClock(10_000);
  const rates = new RateLimits(clock);
  rates.take("a", RATE);
  clock.pass(-9_000);
  assert.deepEqual([1, 2, 3].map(() => rates.take("a", RATE)), [0, 0, 1_000]);
});

Deno.test("a refusal names the limit and the time to wait", () => {
  const rates = new RateLimits(handClock(0));
  const rate = { perMinute: 1, burst: 1 };
  rates.require("a", rate, "claims");
  assert.throws(() => rates.require("a", rate, "claims"), (error) => {
    assert.ok(error instanceof MeshError);
    assert.equal(error.code, "rate_limited");
    assert.deepEqual(error.data, { limit: 1, retry_after_ms: 60_000 });
    return true;
  });
});
