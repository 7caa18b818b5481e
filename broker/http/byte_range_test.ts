/** The `Range` header, read as HTTP has it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { chosenRange } from "./byte_range.ts";

Deno.test("ranges are read as HTTP has them", () => {
  const cases: [string | null, unknown][] = [
    [null, null],
    ["bytes=0-", { from: 0, length: 10 }],
    ["bytes=3-5", { from: 3, length: 3 }],
    ["bytes=9-9", { from: 9, length: 1 }],
    ["bytes=9-99", { from: 9, length: 1 }],
    ["bytes=-4", { from: 6, length: 4 }],
    ["bytes=-99", { from: 0, length: 10 }],
    ["bytes=10-", "outside"],
    ["bytes=-0", "outside"],
    ["bytes=5-3", null],
    ["bytes=-", null],
    ["bytes=0-1,4-5", null],
    ["lines=0-1", null],
  ];
  for (const [header, range] of cases) {
    assert.deepEqual(chosenRange(header, 10), range, `${header}`);
  }
});

Deno.test("nothing of an empty body is there", () => {
  assert.equal(chosenRange("bytes=0-", 0), "outside");
  assert.equal(chosenRange(null, 0), null);
});

Deno.test("a range that is given lies inside the body", () => {
  fc.assert(fc.property(fc.nat(50), fc.string(), fc.nat(60), fc.nat(60), (size, junk, a, b) => {
    for (const header of [junk, `bytes=${a}-${b}`, `bytes=${a}-`, `bytes=-${b}`]) {
      const range = chosenRange(header, size);
      if (range === null || range === "outside") continue;
      assert.ok(range.from >= 0 && range.length > 0 && range.from + range.length <= size);
    }
  }));
});
