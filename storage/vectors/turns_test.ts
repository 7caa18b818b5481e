/** Work on one key runs in turn. */
import assert from "node:assert/strict";
import { Turns } from "./turns.ts";

Deno.test("work on one key runs one after the other, on two keys at once", async () => {
  const turns = new Turns();
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take("a", async () => {
    await gate.promise;
    log.push("first");
  });
  const second = turns.take("a", () => Promise.resolve(log.push("second")));
  await turns.take("b", () => Promise.resolve(log.push("other")));
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(log, ["other", "first", "second"]);
});

Deno.test("work that fails tells its caller and lets the next one run", async () => {
  const turns = new Turns();
  const failed = turns.take("a", () => Promise.reject(new Error("no")));
  const next = turns.take("a", () => Promise.resolve("ran"));
  await assert.rejects(failed, { message: "no" });
  assert.equal(await next, "ran");
});
