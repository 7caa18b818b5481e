/** Lines and errors of the local socket. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MeshError } from "../../broker/api/errors.ts";
import { LocalError, summarizeError } from "./local_error.ts";
import { asFailure, fromFailure, LineReader } from "./local_wire.ts";

const encoder = new TextEncoder();

Deno.test("lines come out as they went in, however the bytes are cut", () => {
  const line = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", ""))
    .filter((text) => text.trim() !== "");
  fc.assert(fc.property(fc.array(line), fc.integer({ min: 1, max: 7 }), (lines, size) => {
    const bytes = encoder.encode(lines.map((each) => `${each}\n`).join(""));
    const reader = new LineReader();
    const read: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      read.push(...reader.push(bytes.slice(at, at + size)));
    }
    assert.deepEqual(read, lines);
  }));
});

Deno.test("a line at the limit passes, one byte more is refused before its end has come", () => {
  assert.deepEqual(new LineReader(4).push(encoder.encode("abcd\n")), ["abcd"]);
  assert.throws(() => new LineReader(4).push(encoder.encode("abcde")), { code: "too_large" });
});

Deno.test("an error of the broker is one again at the other end, with its waiting time", () => {
  const error = new MeshError("rate_limited", "Too many", { data: { retry_after_ms: 1_500 } });
  const revived = fromFailure(summarizeError(error));
  assert.ok(revived instanceof MeshError);
  assert.equal(revived.code, "rate_limited");
  assert.equal(revived.data.retry_after_ms, 1_500);
});

Deno.test("an error of this machine keeps its exit code, hint and candidates", () => {
  const error = new LocalError("mesh_required", "Several", {
    hint: "a or b",
    candidates: ["a", "b"],
  });
  const revived = fromFailure(JSON.parse(JSON.stringify(summarizeError(error))));
  assert.ok(revived instanceof LocalError);
  assert.equal(revived.exit, 3);
  assert.equal(revived.hint, "a or b");
  assert.deepEqual(revived.candidates, ["a", "b"]);
});

Deno.test("what has not the shape of a failure is none", () => {
  for (
    const value of [null, 3, {}, { code: "x", message: "y" }, {
      code: "x",
      message: "y",
      exit: "1",
      hint: null,
    }]
  ) {
    assert.equal(asFailure(value), null);
  }
});
