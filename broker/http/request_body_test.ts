/** Reading bodies: what passes, what is refused, and that the limit holds while the body streams. */
import assert from "node:assert/strict";
import * as z from "zod";
import { readBody } from "./request_body.ts";

const schema = z.object({ name: z.string(), inner: z.object({ count: z.int() }).optional() });
const BODY = '{"name":"Ada"}';

function post(body: BodyInit, type = "application/json"): Request {
  return new Request("http://127.0.0.1/x", {
    method: "POST",
    body,
    headers: { "content-type": type },
  });
}

Deno.test("a body of exactly the limit is read, one byte more is refused with the limit", async () => {
  assert.deepEqual(await readBody(post(BODY), schema, BODY.length), { name: "Ada" });
  await assert.rejects(readBody(post(BODY), schema, BODY.length - 1), {
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
  await assert.rejects(readBody(post(endless), schema, 5000), { code: "too_large" });
  assert.ok(cancelled, "the rest was left to flow");
  assert.ok(pulled < 10, `${pulled} chunks were read`);
});

Deno.test("a wrong field is named with its path", async () => {
  const body = '{"name":"Ada","inner":{"count":"x"}}';
  await assert.rejects(readBody(post(body), schema, 1000), {
    code: "invalid_argument",
    data: { field: "inner.count" },
  });
});

Deno.test("junk, wrong UTF-8, an empty body and other content types are malformed", async () => {
  for (const body of ["{", "", new Uint8Array([0x22, 0xff, 0x22])]) {
    await assert.rejects(readBody(post(body), schema, 1000), { code: "malformed" });
  }
  await assert.rejects(readBody(post(BODY, "text/plain"), schema, 1000), { code: "malformed" });
});

Deno.test("text that the store cannot hold is refused before it gets there", async () => {
  for (const name of ["a\\u0000b", "\\ud800"]) {
    await assert.rejects(readBody(post(`{"name":"${name}"}`), schema, 1000), {
      code: "invalid_argument",
    });
  }
});
