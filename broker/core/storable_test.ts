/** What the store can keep as text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isStorable } from "./storable.ts";

Deno.test("NUL and halves of surrogate pairs are found wherever they are", () => {
  for (const bad of ["a\0b", "\ud800", "\udc00x"]) {
    const places = [bad, [bad], { a: bad }, { [bad]: 1 }, { a: [{ b: [bad] }] }];
    for (const value of places) assert.equal(isStorable(value), false, JSON.stringify(value));
  }
});

Deno.test("every well-formed JSON without NUL can be stored", () => {
  const text = fc.string({ unit: "binary" }).filter((each) => !each.includes("\0"));
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      text,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("any")),
      fc.dictionary(text, tie("any")),
    ),
  })).any;
  fc.assert(fc.property(value, isStorable));
});
