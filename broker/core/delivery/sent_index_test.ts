/** Tests of what is remembered of sends. */
import assert from "node:assert/strict";
import { type SentAnswer, SentIndex } from "./sent_index.ts";

function answer(number: number): SentAnswer {
  return { messageId: `m${number}`, recipients: 1 };
}

Deno.test("at least half of the capacity is remembered, and never more than all of it", () => {
  const index = new SentIndex(10);
  for (let number = 0; number < 100; number++) {
    index.end(`${number}`, answer(number));
    const kept = Array.from({ length: number + 1 }, (_, key) => index.find(`${key}`))
      .filter((found) => found !== undefined);
    assert.ok(kept.length >= Math.min(5, number + 1) && kept.length <= 10);
    assert.deepEqual(index.find(`${number}`), answer(number));
  }
});

Deno.test("a send under way is found until it ends, a failed one not after that", () => {
  const index = new SentIndex(10);
  const pending = Promise.resolve(answer(1));
  index.begin("a", pending);
  assert.equal(index.find("a"), pending);
  index.end("a", null);
  assert.equal(index.find("a"), undefined);
});
