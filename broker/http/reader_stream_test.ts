/** An object's bytes as a stream: read on demand, closed whatever happens. */
import assert from "node:assert/strict";
import type { ObjectReader } from "../../storage/objects/port.ts";
import type { Clock } from "../core/clock.ts";
import { readerStream } from "./reader_stream.ts";

const never: Clock = { now: () => 0, after: () => () => {} };

/** A reader of bytes that are there, which tells what was done with it. */
function readerOf(bytes: Uint8Array): ObjectReader & { reads: number; closed: boolean } {
  let at = 0;
  return {
    reads: 0,
    closed: false,
    read(into) {
      this.reads += 1;
      const taken = bytes.subarray(at, at + into.length);
      into.set(taken);
      at += taken.length;
      return Promise.resolve(taken.length);
    },
    close() {
      this.closed = true;
      return Promise.resolve();
    },
  };
}

Deno.test("the stream has the reader's bytes, then says so and closes it", async () => {
  const bytes = new Uint8Array(200_000).map((_, index) => index);
  const reader = readerOf(bytes);
  let ends = 0;
  const stream = readerStream(reader, {
    length: bytes.length,
    clock: never,
    stallMs: 1,
    onEnd: () => void ends++,
  });
  const got = new Uint8Array(await new Response(stream).arrayBuffer());
  assert.deepEqual(got, bytes);
  assert.deepEqual([ends, reader.closed], [1, true]);
});

Deno.test("an empty object ends at once", async () => {
  const reader = readerOf(new Uint8Array());
  let ends = 0;
  const options = { length: 0, clock: never, stallMs: 1, onEnd: () => void ends++ };
  const got = await new Response(readerStream(reader, options)).arrayBuffer();
  assert.deepEqual([got.byteLength, ends, reader.closed, reader.reads], [0, 1, true, 0]);
});

Deno.test("nothing is read before it is asked for, and a peer that goes closes the reader", async () => {
  const reader = readerOf(new Uint8Array(1_000_000));
  let ends = 0;
  const options = { length: 1_000_000, clock: never, stallMs: 1, onEnd: () => void ends++ };
  const stream = readerStream(reader, options);
  const taking = stream.getReader();
  await taking.read();
  assert.ok(reader.reads <= 2, `${reader.reads}`);
  await taking.cancel();
  assert.deepEqual([ends, reader.closed], [0, true]);
});

Deno.test("a peer that takes nothing is let go", async () => {
  let ring = () => {};
  const clock: Clock = {
    now: () => 0,
    after(_delayMs, run) {
      ring = run;
      return () => {};
    },
  };
  const reader = readerOf(new Uint8Array(10));
  const stream = readerStream(reader, { length: 10, clock, stallMs: 5_000, onEnd: () => {} });
  ring();
  await assert.rejects(stream.getReader().read(), /nothing was taken for 5 s/);
  assert.ok(reader.closed);
});

Deno.test("an object that ends early is an error, not a short answer", async () => {
  const reader = readerOf(new Uint8Array(3));
  const options = {
    length: 4,
    clock: never,
    stallMs: 1,
    onEnd: () => assert.fail("it did not end"),
  };
  await assert.rejects(new Response(readerStream(reader, options)).arrayBuffer(), /ends 1 bytes/);
  assert.ok(reader.closed);
});
