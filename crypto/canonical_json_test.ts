/** Tests of the canonical JSON text. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalJson } from "./canonical_json.ts";

Deno.test("keys are sorted at every level and nothing is spaced", () => {
  const value = { b: [{ z: 1, a: null }], a: { y: "é\n", x: true }, "": -0.5 };
  assert.equal(canonicalJson(value), '{"":-0.5,"a":{"x":true,"y":"é\\n"},"b":[{"a":null,"z":1}]}');
});

Deno.test("the text parses back to the value, and does not depend on the order of keys", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
    const text = canonicalJson(value);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    assert.equal(canonicalJson(JSON.parse(text)), text);
    assert.equal(canonicalJson(reversed(value)), text);
  }));
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, field]) => [key, reversed(field)]);
  return Object.fromEntries(entries.reverse());
}

Deno.test("a field named __proto__ is a field like any other", () => {
  const text = '{"__proto__":{"a":1},"b":2}';
  assert.equal(canonicalJson(JSON.parse(text)), text);
});

Deno.test("what JSON cannot say exactly throws TypeError", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const hole: unknown[] = [1];
  hole[2] = 2;
  const values = [undefined, { a: undefined }, NaN, Infinity, 1n, Symbol("s"), () => 1];
  for (const value of [...values, new Date(0), new Map(), new Uint8Array(1), hole, cycle]) {
    assert.throws(() => canonicalJson(value), TypeError);
  }
});

Deno.test("128 levels are written and the next one throws TypeError", () => {
  assert.equal(canonicalJson(nested(128)).length, 256);
  assert.throws(() => canonicalJson(nested(129)), TypeError);
});

function nested(depth: number): unknown[] {
  return depth === 1 ? [] : [nested(depth - 1)];
}
