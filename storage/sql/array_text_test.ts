/** The text form of arrays, both ways. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeArray, encodeArray } from "./array_text.ts";

Deno.test("arrays of arrays, of any text and NULL, come back", () => {
  const item = fc.option(fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(fc.array(fc.array(item, { minLength: 1 })), (items) => {
      const text = encodeArray(items, (value) => value === null ? null : String(value));
      assert.deepEqual(decodeArray(text, (value) => value), items);
    }),
  );
});

Deno.test("explicit bounds are skipped", () => {
  assert.deepEqual(decodeArray("[0:1]={7,8}", Number), [7, 8]);
});

Deno.test("a literal that ends too early is refused", () => {
  for (const text of ["{", "{1", '{"a', "{{1}"]) {
    assert.throws(() => decodeArray(text, Number), SyntaxError);
  }
});
