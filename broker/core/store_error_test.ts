/** Tests of how failures of the store appear. */
import assert from "node:assert/strict";
import { SqlError, type SqlErrorKind } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import { keptNothing, storeError } from "./store_error.ts";

const KINDS: readonly SqlErrorKind[] = [
  "unavailable",
  "timeout",
  "full",
  "conflict",
  "invalid",
  "skipped",
  "other",
];

Deno.test("each kind of failure has its code, and its text stays inside", () => {
  const codes = KINDS.map((kind) => {
    const error = storeError(new SqlError(kind, "secret detail"));
    assert.ok(!error.message.includes("secret"));
    return error.code;
  });
  const expected = [
    "unavailable",
    "unavailable",
    "storage_full",
    "internal",
    "internal",
    "internal",
    "internal",
  ];
  assert.deepEqual(codes, expected);
  assert.equal(storeError(new TypeError("x")).code, "internal");
});

Deno.test("an error that may cross the wire is passed on", () => {
  const error = new MeshError("not_found", "x");
  assert.equal(storeError(error), error);
});

Deno.test("only a refusal by the database is certain to have kept nothing", () => {
  assert.deepEqual(KINDS.filter((kind) => keptNothing(new SqlError(kind, ""))), [
    "conflict",
    "invalid",
    "skipped",
  ]);
  assert.equal(keptNothing(new Error("x")), false);
});
