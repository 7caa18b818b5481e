/** Tests of push frames and their batches. */
import assert from "node:assert/strict";
import { BatchJoiner, withReason } from "./push_frame.ts";

Deno.test("frames are joined in order, below the size of a batch, a large one alone", () => {
  const frames = [100_000, 100_000, 100_000, 400_000, 10].map((length, index) =>
    JSON.stringify({ index, text: "x".repeat(length) })
  );
  const joined = new BatchJoiner().join(frames).map((frame) => JSON.parse(frame));
  const indexes = joined.map((frame) =>
    frame.type === "push_batch"
      ? frame.pushes.map(({ index }: { index: number }) => index)
      : frame.index
  );
  assert.deepEqual(indexes, [[0, 1], 2, 3, 4]);
});

Deno.test("the same pushes for the next recipient are not joined again, others are", () => {
  const joiner = new BatchJoiner();
  const first = joiner.join(["1", "2"]);
  assert.equal(joiner.join(["1", "2"]), first);
  assert.deepEqual(joiner.join(["1", "3"]), ['{"type":"push_batch","pushes":[1,3]}']);
  assert.deepEqual(joiner.join(["1"]), ["1"]);
});

Deno.test("a reason is added to a frame", () => {
  assert.deepEqual(JSON.parse(withReason('{"a":1}', "hold_expired")), {
    a: 1,
    reason: "hold_expired",
  });
});
