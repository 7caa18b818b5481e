/** Which of two versions is older. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compareVersions } from "./agent_launch.ts";

Deno.test("versions compare by their numbers, not as text", () => {
  assert.ok(compareVersions("0.9.0", "0.10.0") < 0);
  assert.ok(compareVersions("1.0.0", "0.99.99") > 0);
  assert.equal(compareVersions("1.2.3", "1.2.3+build"), 0);
});

Deno.test("comparing the other way round gives the opposite", () => {
  const version = fc.array(fc.nat(50), { minLength: 3, maxLength: 3 }).map((parts) =>
    parts.join(".")
  );
  fc.assert(fc.property(version, version, (a, b) => {
    assert.equal(Math.sign(compareVersions(a, b)), 0 - Math.sign(compareVersions(b, a)));
  }));
});
