/** Tests of the least-recently-used cache. */
import assert from "node:assert/strict";
import { BoundedCache } from "./bounded_cache.ts";

function touch(cache: BoundedCache<string, string>, key: string): boolean {
  let made = false;
  cache.getOrMake(key, (text) => {
    made = true;
    return text.toUpperCase();
  });
  return made;
}

Deno.test("a value is made once and then kept", () => {
  const cache = new BoundedCache<string, string>(2);
  assert.ok(touch(cache, "a"));
  assert.ok(!touch(cache, "a"));
  assert.equal(cache.getOrMake("a", () => "other"), "A");
});

Deno.test("a full cache forgets the entry that was unused for longest", () => {
  const cache = new BoundedCache<string, string>(2);
  for (const key of ["a", "b", "a", "c"]) touch(cache, key);
  assert.equal(cache.size, 2);
  assert.ok(!touch(cache, "a"));
  assert.ok(touch(cache, "b"));
});

Deno.test("a failure to make a value is passed on and not kept", () => {
  const cache = new BoundedCache<string, string>(1);
  assert.throws(() =>
    cache.getOrMake("a", () => {
      throw new TypeError("no");
    }), TypeError);
  assert.equal(cache.size, 0);
});

Deno.test("a cache without a place is refused", () => {
  assert.throws(() => new BoundedCache(0), RangeError);
});
