/** Tests of the short name that a mesh gets. */
import assert from "node:assert/strict";
import { slugOf } from "./enrol.ts";

Deno.test("slugOf() keeps letters and digits of a name", () => {
  assert.equal(slugOf("Billing Team"), "billing-team");
  assert.equal(slugOf("Équipe n°1"), "equipe-n-1");
  assert.equal(slugOf("x".repeat(40)), "x".repeat(32));
});

Deno.test("slugOf() refuses a name without two usable characters", () => {
  for (const name of ["", "!", "a", "日本"]) {
    assert.throws(() => slugOf(name), { code: "invalid_argument", exit: 3 });
  }
});
