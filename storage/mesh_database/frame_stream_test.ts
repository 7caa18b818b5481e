/** Frames come out of a stream as they went in, however the pipe cuts it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { frameOf, framesIn } from "./frame_stream.ts";

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  await Promise.resolve();
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<number[][]> {
  return await Array.fromAsync(framesIn(stream), (payload) => [...payload]);
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...frame]));
}

Deno.test("frames are read as they were written, wherever the stream is cut", async () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  const sizes = fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 5 });
  await fc.assert(fc.asyncProperty(payloads, sizes, async (written, cuts) => {
    const bytes = joined(written.map(frameOf));
    assert.deepEqual(await read(pieces(bytes, cuts)), written.map((payload) => [...payload]));
  }));
});

Deno.test("a frame that the end of the stream cuts off is left out", async () => {
  const bytes = joined([frameOf(Uint8Array.of(1, 2)), frameOf(Uint8Array.of(3, 4))]);
  for (const length of [7, 9, 11]) {
    assert.deepEqual(await read(pieces(bytes.subarray(0, length), [3])), [[1, 2]]);
  }
});

Deno.test("what is no frame is refused instead of waited for", async () => {
  const printed = new TextEncoder().encode("a line on standard output\n");
  await assert.rejects(read(pieces(printed, [64])), RangeError);
});
