/** Tests of message ids. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { systemRandom } from "../clock.ts";
import { MessageIds } from "./message_id.ts";

const key = Uint8Array.from({ length: 16 }, (_, index) => index * 37);

Deno.test("an id has 32 base62 characters, of which eight tell its place", () => {
  const ids = new MessageIds(key, systemRandom);
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 46 - 1 }), (seq) => {
    const [one, other] = [ids.next(seq), ids.next(seq)];
    assert.match(one, /^[0-9A-Za-z]{32}$/);
    assert.equal(one.slice(0, 8), other.slice(0, 8));
    assert.notEqual(one.slice(8), other.slice(8));
    assert.equal(ids.seqOf(one), seq);
    assert.equal(ids.seqOf(one.slice(0, 8)), seq);
  }));
});

Deno.test("neighbours in the log do not look like neighbours, and another key sees others", () => {
  const ids = new MessageIds(key, systemRandom);
  const beginnings = Array.from({ length: 1_000 }, (_, index) => ids.next(index).slice(0, 3));
  assert.ok(new Set(beginnings).size > 900);
  const others = new MessageIds(key.toReversed(), systemRandom);
  assert.notEqual(others.seqOf(ids.next(7)), 7);
});

Deno.test("text that is no id stands for no place", () => {
  const ids = new MessageIds(key, systemRandom);
  for (const text of ["", "4fQz81L", "m-1 of ada", "........", "zzzzzzzz"]) {
    assert.equal(ids.seqOf(text), null, text);
  }
});
