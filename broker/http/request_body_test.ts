/** Reading bodies: what passes, what is refused, and that the limit holds while the body streams. */
import assert from "node:assert/strict";
import * as z from "zod";
import type { Clock } from "../core/clock.ts";
import { readBody } from "./request_body.ts";

const schema = z.object({ name: z.string(), inner: z.object({ count: z.int() }).optional() });
const stopped: Clock = { now: () => 0, after: () => () => {} };
const BODY = '{"name":"Ada"}';

function post(body: BodyInit, type = "application/json"): Request {
  return new Request("http://127.0.0.1/x", {
    method: "POST",
    body,
    headers: { "content-type": type },
  });
}

Deno.test("a body of exactly the limit is read, one byte more is refused with the limit", async () => {
  assert.deepEqual(await readBody(post(BODY), schema, BODY.length, stopped), { name: "Ada" });
  await assert.rejects(readBody(post(BODY), schema, BODY.length - 1, stopped), {
    code: "too_large",
    data: { limit: BODY.length - 1 },
  });
});

Deno.test("an endless body is left as soon as it passes the limit", async () => {
  let pulled = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(1000));
    },
    cancel() {
      cancelled = true;
    },
  });
  await assert.rejects(readBody(post(endless), schema, 5000, stopped), { code: "too_large" });
  assert.ok(cancelled, "the rest was left to flow");
  assert.ok(pulled < 10, `${pulled} chunks were read`);
});

Deno.test("a wrong field is named with its path", async () => {
  const body = '{"name":"Ada","inner":{"count":"x"}}';
  await assert.rejects(readBody(post(body), schema, 1000, stopped), {
    code: "invalid_argument",
    data: { field: "inner.count" },
  });
});

Deno.test("junk, wrong UTF-8, an empty body and other content types are malformed", async () => {
  for (const body of ["{", "", new Uint8Array([0x22, 0xff, 0x22])]) {
    await assert.rejects(readBody(post(body), schema, 1000, stopped), { code: "malformed" });
  }
  await assert.rejects(readBody(post(BODY, "text/plain"), schema, 1000, stopped), {
    code: "malformed",
  });
});

Deno.test("text that the store cannot hold is refused before it gets there", async () => {
  for (const name of ["a\\u0000b", "\\ud800"]) {
    await assert.rejects(readBody(post(`{"name":"${name}"}`), schema, 1000, stopped), {
      code: "invalid_argument",
    });
  }
});

Deno.test("a body that does not arrive in time is given up", async () => {
  let cancelled = false;
  const trickle = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("{"));
    },
    cancel() {
      cancelled = true;
    },
  });
  const hurried: Clock = {
    now: () => 0,
    after(delayMs, run) {
      assert.equal(delayMs, 10_000);
      queueMicrotask(run);
      return () => {};
    },
  };
  await assert.rejects(readBody(post(trickle), schema, 1000, hurried), {
    code: "malformed",
    message: /within 10 s/,
  });
  assert.ok(cancelled);
});
