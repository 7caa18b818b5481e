/** Hellos that were used are known for as long as they could be used again, and no longer. */
import assert from "node:assert/strict";
import { ReplayCache } from "./replay_cache.ts";

Deno.test("a hello is accepted once while its time is good, also one from ahead of the clock", () => {
  let nowMs = 1_000_000;
  const cache = new ReplayCache({ now: () => nowMs, after: () => () => {} }, 60_000);
  const ahead = nowMs + 59_000;
  assert.equal(cache.accept("key", ahead, "AB"), true);
  assert.equal(cache.accept("key", ahead, "ab"), false);
  nowMs = ahead + 60_000;
  assert.equal(cache.accept("key", ahead, "ab"), false);
  assert.equal(cache.accept("key", ahead, "cd"), true);
  assert.equal(cache.accept("key", ahead + 1, "ab"), true);
  assert.equal(cache.accept("other", ahead, "ab"), true);
});

Deno.test("what cannot be used any more is forgotten", () => {
  let nowMs = 1_000_000;
  const cache = new ReplayCache({ now: () => nowMs, after: () => () => {} }, 60_000);
  cache.accept("key", nowMs, "ab");
  nowMs += 60_001;
  // The check of its time refuses it by now; the cache need not.
  assert.equal(cache.accept("key", 1_000_000, "ab"), true);
});
