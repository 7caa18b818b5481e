/** What kind each failure has, and that its message shows no value. */
import assert from "node:assert/strict";
import { SqlError } from "./port.ts";
import { asSqlError, sqlFailure } from "./sql_failure.ts";

const KINDS: readonly (readonly [code: string, kind: string])[] = [
  ["08006", "unavailable"],
  ["57P01", "unavailable"],
  ["53300", "unavailable"],
  ["ECONNREFUSED", "unavailable"],
  ["EPIPE", "unavailable"],
  ["CONNECTION_CLOSED", "unavailable"],
  ["23505", "conflict"],
  ["40001", "conflict"],
  ["40P01", "conflict"],
  ["53100", "full"],
  ["ENOSPC", "full"],
  ["57014", "timeout"],
  ["55P03", "timeout"],
  ["22P02", "invalid"],
  ["42P01", "invalid"],
  ["XX000", "other"],
];

Deno.test("each code has its kind, and only a SQLSTATE is kept as one", () => {
  for (const [code, kind] of KINDS) {
    const error = sqlFailure({ code, message: "failed" });
    assert.equal(error.kind, kind, code);
    assert.equal(error.sqlState, /^\w{5}$/.test(code) && code !== "EPIPE" ? code : null);
  }
});

Deno.test("a full disk is told from the message where the code is an input/output error", () => {
  const message = 'could not extend file "base/5/1": No space left on device';
  assert.equal(sqlFailure({ code: "58030", message }).kind, "full");
});

Deno.test("a refused value is cut out of the message, whatever quotes it holds", () => {
  const message = 'invalid input syntax for type json: "a "quoted"\nsecret"';
  assert.equal(
    sqlFailure({ code: "22P02", message }).message,
    "invalid input syntax for type json: (a value)",
  );
});

Deno.test("a SqlError stays itself, and what is no error at all becomes one", () => {
  const own = new SqlError("full", "no room");
  assert.equal(asSqlError(own), own);
  assert.equal(asSqlError("thrown text with a secret").message, "the database driver failed");
});
