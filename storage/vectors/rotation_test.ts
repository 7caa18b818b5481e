/** The rotation before quantizing: angles stay, and it never changes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { rotated } from "./rotation.ts";

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * b[at]!, 0);
}

const number = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
const pair = fc.integer({ min: 1, max: 70 }).chain((length) =>
  fc.tuple(
    fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -9, max: 9 }),
    fc.array(number, { minLength: length, maxLength: length }).map((all) => Float32Array.from(all)),
  )
).filter((both) => both.every((vector) => vector.some((value) => Math.abs(value) > 1e-3)));

Deno.test("angles stay as they are, and lengths become 1", () => {
  fc.assert(fc.property(pair, ([a, b]) => {
    const [turnedA, turnedB] = [rotated(a), rotated(b)];
    const before = product(a, b) / Math.sqrt(product(a, a) * product(b, b));
    assert.ok(Math.abs(product(turnedA, turnedB) - before) < 1e-3);
    assert.ok(Math.abs(product(turnedA, turnedA) - 1) < 1e-4);
  }));
});

Deno.test("a direction with a single number takes part in every dimension", () => {
  const axis = new Float32Array(1_536);
  axis[700] = 1;
  const turned = rotated(axis);
  assert.ok(turned.every((value) => value !== 0));
  const positive = turned.filter((value) => value > 0).length;
  assert.ok(positive > 600 && positive < 936, `${positive} positive`);
});

Deno.test("the largest and smallest numbers have a direction too", () => {
  for (const scale of [1e38, 1e-38]) {
    const turned = rotated(Float32Array.from([3 * scale / 4, scale]));
    assert.ok(Math.abs(product(turned, rotated(Float32Array.from([3, 4]))) - 1) < 1e-5);
  }
});

Deno.test("what is stored with it stays comparable: these rotations never change", () => {
  const turned = rotated(Float32Array.from([1, 2, 3, 4, 5, 6, 7]));
  const expected = [-6791, -5071, 2988, -2158, 15, 15, 3818];
  assert.deepEqual([...turned].map((value) => Math.round(value * 10_000)), expected);
});
