/** Tests of the queue with two ends. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Deque } from "./deque.ts";

Deno.test("a deque does what an array does, whatever is done to it", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("push" as const), item: fc.nat() }),
    fc.record({ do: fc.constant("unshift" as const), item: fc.nat() }),
    fc.record({ do: fc.constantFrom("shift" as const, "odd" as const) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const deque = new Deque<number>();
    let model: number[] = [];
    for (const action of steps) {
      if (action.do === "push") {
        deque.push(action.item);
        model.push(action.item);
      } else if (action.do === "unshift") {
        deque.unshift(action.item);
        model.unshift(action.item);
      } else if (action.do === "shift") {
        assert.equal(deque.shift(), model.shift());
      } else {
        deque.retain((item) => item % 2 === 1);
        model = model.filter((item) => item % 2 === 1);
      }
      assert.equal(deque.first(), model[0]);
      assert.equal(deque.length, model.length);
    }
    assert.deepEqual([...deque], model);
    assert.equal(deque.at(model.length), undefined);
  }));
});

Deno.test("a deque that was long and is empty works on", () => {
  const deque = new Deque<number>();
  for (let item = 0; item < 5_000; item++) deque.push(item);
  for (let item = 0; item < 5_000; item++) assert.equal(deque.shift(), item);
  deque.push(7);
  assert.deepEqual([...deque], [7]);
});
