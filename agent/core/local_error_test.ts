/** Failures as they are told: their exit codes, and nothing that was not meant to be read. */
import assert from "node:assert/strict";
import { MeshError } from "../../broker/api/errors.ts";
import { HomeError } from "../home/home_error.ts";
import { LocalError, summarizeError } from "./local_error.ts";

Deno.test("a local error knows its code's exit code, unless it is given one", () => {
  assert.equal(new LocalError("offline", "x").exit, 4);
  assert.equal(new LocalError("of_its_own", "x").exit, 8);
  assert.equal(new LocalError("offline", "x", { exit: 1 }).exit, 1);
});

Deno.test("errors of the broker, of this program and of the home's files are told alike", () => {
  const data = { retry_after_ms: 5, candidates: ["a"] };
  assert.deepEqual(summarizeError(new MeshError("rate_limited", "slow", { data })), {
    code: "rate_limited",
    message: "slow",
    exit: 4,
    hint: null,
    retryAfterMs: 5,
    candidates: ["a"],
  });
  assert.deepEqual(summarizeError(new LocalError("not_found", "no", { hint: "look" })), {
    code: "not_found",
    message: "no",
    exit: 5,
    hint: "look",
  });
  assert.deepEqual(summarizeError(new HomeError("key_mode", "open", "chmod")), {
    code: "key_mode",
    message: "open",
    exit: 7,
    hint: "chmod",
  });
});

Deno.test("an unforeseen error is told without its message", () => {
  for (const thrown of [new Error("secret"), "secret", null, { name: "LocalError", code: "x" }]) {
    const told = summarizeError(thrown);
    assert.equal(told.code, "internal");
    assert.ok(!JSON.stringify(told).includes("secret"));
  }
});
