/** Metadata as facts: containment of JSON as containment of sets. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { factsOf } from "./facts.ts";

function contains(metadata: Record<string, unknown>, filter: Record<string, unknown>): boolean {
  const facts = new Set(factsOf(metadata));
  return factsOf(filter).every((fact) => facts.has(fact));
}

Deno.test("any part of metadata is contained in them, and nothing is in nothing but nothing", () => {
  const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const value = fc.oneof(
    scalar,
    fc.array(scalar),
    fc.dictionary(fc.string(), fc.oneof(scalar, fc.array(scalar))),
  );
  fc.assert(fc.property(fc.dictionary(fc.string(), value), fc.nat(), (metadata, pick) => {
    const entries = Object.entries(metadata);
    const part = Object.fromEntries(entries.filter((_, index) => (pick >> index) % 2 === 0));
    assert.ok(contains(metadata, part));
    assert.equal(contains({}, metadata), entries.length === 0);
  }));
});

Deno.test("paths and values that read alike are told apart", () => {
  for (
    const [metadata, filter] of [
      [{ "a.b": 1 }, { a: { b: 1 } }],
      [{ a: "1" }, { a: 1 }],
      [{ a: "null" }, { a: null }],
      [{ a: [1] }, { a: 1 }],
      [{ a: { 0: "x" } }, { a: ["x"] }],
      [{ a: { "": 1 } }, { a: 1 }],
      [{ a: [] }, { a: {} }],
      [{ A: 1 }, { a: 1 }],
    ]
  ) {
    assert.ok(!contains(metadata!, filter!), JSON.stringify([metadata, filter]));
    assert.ok(!contains(filter!, metadata!), JSON.stringify([filter, metadata]));
  }
});

Deno.test("numbers that are equal are the same fact", () => {
  assert.ok(contains({ a: 1.0, b: -0, c: 1e2 }, { a: 1, b: 0, c: 100 }));
});
