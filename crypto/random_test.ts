/** Tests of random ids and codes. */
import assert from "node:assert/strict";
import { randomBytes, randomCode, randomId } from "./random.ts";

Deno.test("an id is 32 base62 characters and none comes twice", () => {
  const ids = new Set(Array.from({ length: 1000 }, () => randomId()));
  assert.equal(ids.size, 1000);
  for (const id of ids) assert.match(id, /^[0-9A-Za-z]{32}$/);
});

Deno.test("all 62 characters come up about equally often", () => {
  const counts = new Map<string, number>();
  for (const character of randomCode(620_000)) {
    counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  assert.equal(counts.size, 62);
  // Expected 10000 each, standard deviation 99: seven deviations never happen by chance, while the
  // bias of a plain modulo (12109 for eight of them) would show.
  for (const [character, count] of counts) {
    assert.ok(Math.abs(count - 10_000) < 700, `${character}: ${count}`);
  }
});

Deno.test("codes and byte arrays have the length asked for", () => {
  for (const length of [0, 1, 8, 33]) {
    assert.equal(randomCode(length).length, length);
    assert.equal(randomBytes(length).length, length);
  }
  assert.notDeepEqual(randomBytes(100_000), new Uint8Array(100_000));
});
