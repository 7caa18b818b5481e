/** Answers of derived verbs as text. */
import assert from "node:assert/strict";
import { describe } from "./text.ts";

Deno.test("a long value of a list is cut, and does not set the width of its column", () => {
  const text = describe({ entries: [{ key: "a", value: "x".repeat(70_000) }, { key: "b" }] });
  assert.ok(text.split("\n").every((line) => line.length < 200), text);
  assert.match(text, /x…/);
});

Deno.test("a value by itself is shown in full", () => {
  assert.ok(describe({ key: "a", value: "x".repeat(500) }).includes("x".repeat(500)));
});

Deno.test("a list says that there is more only where there is", () => {
  assert.doesNotMatch(describe({ rows: [{ a: 1 }], more: false }), /more/);
  assert.match(describe({ rows: [{ a: 1 }], more: true }), /more +true/);
});
