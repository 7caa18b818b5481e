/** Work that comes due, on a clock that stands still until it is told to go on. */
import assert from "node:assert/strict";
import { FakeClock, settle } from "../../tests/sim/fake_clock.ts";
import { DueLoop } from "./due_loop.ts";

const MINUTE_MS = 60_000;
/** Just past the longest native timer, which would fire at once. */
const LONG_MS = 2 ** 31 + 12_345;

/** Work due at the given times; tells when it was done. */
class Work {
  readonly clock = new FakeClock(0);
  readonly done: number[] = [];
  looks = 0;
  failures = 0;
  readonly errors: unknown[] = [];
  readonly loop = new DueLoop({
    clock: this.clock,
    work: this,
    onError: (error) => this.errors.push(error),
  });

  constructor(readonly dueMs: number[]) {}

  runDue(): Promise<boolean> {
    this.looks += 1;
    if (this.failures > 0) {
      this.failures -= 1;
      return Promise.reject(new Error("the store is away"));
    }
    const at = this.clock.now();
    const due = this.dueMs.filter((each) => each <= at);
    const [first] = due;
    if (first !== undefined) {
      this.dueMs.splice(this.dueMs.indexOf(first), 1);
      this.done.push(at);
    }
    return Promise.resolve(due.length > 1);
  }

  untilNext(): Promise<number | null> {
    if (this.dueMs.length === 0) return Promise.resolve(null);
    return Promise.resolve(Math.min(...this.dueMs) - this.clock.now());
  }
}

Deno.test("work further off than the longest timer is done at its time, not at once", async () => {
  const work = new Work([LONG_MS]);
  work.loop.wake();
  await work.clock.advance(LONG_MS - 1);
  assert.deepEqual(work.done, []);
  await work.clock.advance(1);
  assert.deepEqual(work.done, [LONG_MS]);
  work.loop.stop();
});

Deno.test("it looks once a minute at least, so that a clock that steps is noticed", async () => {
  const work = new Work([]);
  work.loop.wake();
  await work.clock.advance(10 * MINUTE_MS);
  assert.equal(work.looks, 11);
  work.loop.stop();
});

Deno.test("what is due together is done together", async () => {
  const work = new Work([5, 5, 5, 700]);
  work.loop.wake();
  await work.clock.advance(1_000);
  assert.deepEqual(work.done, [5, 5, 5, 700]);
  work.loop.stop();
});

Deno.test("a wake during a look makes it look again, and a wake in between looks at once", async () => {
  const work = new Work([]);
  work.loop.wake();
  work.loop.wake();
  await settle();
  assert.equal(work.looks, 2);
  work.dueMs.push(0);
  work.loop.wake();
  await settle();
  assert.deepEqual(work.done, [0]);
  work.loop.stop();
});

Deno.test("a failure is told and tried again in a few seconds", async () => {
  const work = new Work([0]);
  work.failures = 2;
  work.loop.wake();
  await work.clock.advance(20_000);
  assert.deepEqual(work.done, [10_000]);
  assert.equal(work.errors.length, 2);
  work.loop.stop();
});

Deno.test("once stopped it does nothing more, and leaves no timer", async () => {
  const work = new Work([5]);
  work.loop.wake();
  await settle();
  work.loop.stop();
  work.loop.wake();
  await work.clock.advance(MINUTE_MS);
  assert.deepEqual(work.done, []);
  assert.equal(work.clock.nextAtMs, null);
});
