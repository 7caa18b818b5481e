/** Tests of what is remembered of sends. */
import assert from "node:assert/strict";
import { type SentAnswer, SentIndex } from "./sent_index.ts";

function answer(number: number): SentAnswer {
  return { messageId: `m${number}`, recipients: 1 };
}

Deno.test("at least half of the capacity is remembered, and never more than all of it", () => {
  const index = new SentIndex(10);
  for (let number = 0; number < 100; number++) {
    index.end(number % 3, `${number}`, answer(number));
    const kept = Array.from({ length: number + 1 }, (_, key) => index.find(key % 3, `${key}`))
      .filter((found) => found !== undefined);
    assert.ok(kept.length >= Math.min(5, number + 1) && kept.length <= 10);
    assert.deepEqual(index.find(number % 3, `${number}`), answer(number));
    assert.equal(index.find(number % 3 + 1, `${number}`), undefined, "another's");
  }
});

Deno.test("a send under way is found until it ends, a failed one not after that", () => {
  const index = new SentIndex(10);
  const pending = Promise.resolve(answer(1));
  index.begin(1, "a", pending);
  assert.equal(index.find(1, "a"), pending);
  index.end(1, "a", null);
  assert.equal(index.find(1, "a"), undefined);
});
