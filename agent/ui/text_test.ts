/** Answers of derived verbs as text. */
import assert from "node:assert/strict";
import { describe } from "./text.ts";

const LONG = "x".repeat(70_000);
const entries = [{ key: "a", value: LONG, by: "Ada" }, { key: "b", value: 1, by: "Bob" }];

Deno.test("in an overview a long value is cut, and does not set the width of its column", () => {
  const text = describe({ entries }, true);
  assert.ok(text.split("\n").every((line) => line.length < 200), text);
  assert.match(text, /x…/);
});

Deno.test("elsewhere it is shown in full, without spreading over the other rows", () => {
  const text = describe({ entries });
  assert.ok(text.includes(LONG));
  assert.ok(text.length < LONG.length + 200);
  assert.match(text, /key +b\n/);
});

Deno.test("a value by itself is shown in full", () => {
  assert.ok(describe({ key: "a", value: "x".repeat(500) }).includes("x".repeat(500)));
});

Deno.test("a list says that there is more only where there is", () => {
  assert.doesNotMatch(describe({ rows: [{ a: 1 }], more: false }), /more/);
  assert.match(describe({ rows: [{ a: 1 }], more: true }), /more +true/);
});
