/** Tests of going on after a failure: what is tried again, for how long, and what ends it. */
import assert from "node:assert/strict";
import { type ErrorCode, MeshError } from "../../../broker/api/errors.ts";
import type { AgentClock } from "../agent_clock.ts";
import { LocalError } from "../local_error.ts";
import { Persistence } from "./persistence.ts";

/** A clock whose pauses pass at once and are written down. */
class LeapingClock implements AgentClock {
  nowMs = 0;
  readonly pauses: number[] = [];

  now(): number {
    return this.nowMs;
  }

  random(): number {
    return 1;
  }

  after(delayMs: number, run: () => void): () => void {
    let isCancelled = false;
    queueMicrotask(() => {
      if (isCancelled) return;
      this.nowMs += delayMs;
      this.pauses.push(delayMs);
      run();
    });
    return () => {
      isCancelled = true;
    };
  }
}

function persistence(signal = new AbortController().signal) {
  const clock = new LeapingClock();
  return { clock, persistence: new Persistence(clock, signal) };
}

/** Fails with `errors` in turn, then succeeds. */
function failing(...errors: Error[]): () => Promise<string> {
  return () => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve("done") : Promise.reject(error);
  };
}

const OFFLINE = new LocalError("offline", "lost");

function refusal(code: ErrorCode, retryAfterMs?: number): MeshError {
  const data = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
  return new MeshError(code, code, { data });
}

Deno.test("a step is taken until it succeeds, with growing pauses up to a bound", async () => {
  const { clock, persistence: each } = persistence();
  assert.equal(await each.until(failing(...Array<Error>(9).fill(OFFLINE))), "done");
  assert.deepEqual(clock.pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

Deno.test("a broker that says when to come back is waited for", async () => {
  const { clock, persistence: each } = persistence();
  await each.until(failing(refusal("rate_limited", 20_000), refusal("unavailable")));
  assert.deepEqual(clock.pauses, [20_000, 500]);
});

Deno.test("progress makes the pauses short again", async () => {
  const { clock, persistence: each } = persistence();
  await each.until(failing(OFFLINE, OFFLINE, OFFLINE));
  await each.until(failing(OFFLINE));
  assert.equal(clock.pauses.at(-1), 250);
});

Deno.test("what no repetition helps ends it at once", async () => {
  const codes: ErrorCode[] = ["not_found", "forbidden", "limit", "stale_epoch", "conflict"];
  for (const code of codes) {
    const { clock, persistence: each } = persistence();
    await assert.rejects(each.until(failing(refusal(code))), { code });
    assert.deepEqual(clock.pauses, []);
  }
  const bug = new TypeError("a bug");
  await assert.rejects(persistence().persistence.until(failing(bug)), bug);
});

Deno.test("an address that has ended is renewed, but not for ever", async () => {
  for (const code of ["expired", "bad_signature"] as const) {
    const errors = Array.from({ length: 3 }, () => refusal(code));
    assert.equal(await persistence().persistence.until(failing(...errors)), "done");
    const more = Array.from({ length: 4 }, () => refusal(code));
    await assert.rejects(persistence().persistence.until(failing(...more)), { code });
  }
});

Deno.test("five minutes without progress are enough", async () => {
  const { clock, persistence: each } = persistence();
  await assert.rejects(each.until(() => Promise.reject(OFFLINE)), OFFLINE);
  assert.ok(clock.nowMs > 300_000 && clock.nowMs < 330_000, `${clock.nowMs}`);
});

Deno.test("an abort ends a pause, and what comes after it", async () => {
  const abort = new AbortController();
  const reason = new LocalError("cancelled", "enough");
  const { persistence: each } = persistence(abort.signal);
  const trying = each.until(() => {
    abort.abort(reason);
    return Promise.reject(OFFLINE);
  });
  await assert.rejects(trying, reason);
  await assert.rejects(each.until(() => Promise.resolve()), reason);
  const waiting = new AbortController();
  const { persistence: other } = persistence(waiting.signal);
  const pause = other.pauseAfter(OFFLINE);
  waiting.abort(reason);
  await assert.rejects(pause, reason);
});
