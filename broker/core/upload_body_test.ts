/** The body of an upload in pieces: its room, and a sender that stalls. */
import assert from "node:assert/strict";
import { MeshError } from "../api/errors.ts";
import type { Clock } from "./clock.ts";
import { type UploadBody, uploadPieces } from "./upload_body.ts";

/** A clock whose one timer the test lets run. */
function stillClock(): { clock: Clock; ring: () => void } {
  let timer: () => void = () => {};
  const clock: Clock = {
    now: () => 0,
    after(_delayMs, run) {
      timer = run;
      return () => {
        timer = () => {};
      };
    },
  };
  return { clock, ring: () => timer() };
}

function streamOf(...pieces: number[][]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      for (const piece of pieces) controller.enqueue(new Uint8Array(piece));
      controller.close();
    },
  });
}

function bodyOf(stream: UploadBody["stream"], changes: Partial<UploadBody> = {}): UploadBody {
  return {
    stream,
    roomBytes: 10,
    stallMs: 1_000,
    clock: stillClock().clock,
    signal: new AbortController().signal,
    onPiece: () => {},
    ...changes,
  };
}

async function bytesOf(body: UploadBody): Promise<number[]> {
  const bytes: number[] = [];
  for await (const piece of uploadPieces(body)) bytes.push(...piece);
  return bytes;
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof MeshError && error.code === code;
}

Deno.test("the pieces of a body come in order, each told of before", async () => {
  const seen: number[] = [];
  const onPiece = (piece: Uint8Array) => void seen.push(...piece);
  const bytes = await bytesOf(bodyOf(streamOf([1, 2], [3], [4, 5]), { onPiece }));
  assert.deepEqual([bytes, seen], [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]);
  assert.deepEqual(await bytesOf(bodyOf(null)), []);
});

Deno.test("a body that came whole is read as well", async () => {
  const whole = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array([1, 2, 3]));
      controller.close();
    },
  });
  assert.deepEqual(await bytesOf(bodyOf(whole)), [1, 2, 3]);
});

Deno.test("room is used to the last byte and not further", async () => {
  assert.deepEqual(await bytesOf(bodyOf(streamOf([1, 2, 3]), { roomBytes: 3 })), [1, 2, 3]);
  const seen: number[] = [];
  const onPiece = (piece: Uint8Array) => void seen.push(...piece);
  const body = bodyOf(streamOf([1, 2, 3, 4]), { roomBytes: 3, onPiece });
  await assert.rejects(bytesOf(body), hasCode("too_large"));
  assert.ok(seen.length <= 3);
});

Deno.test("a sender that stalls is given up", async () => {
  const { clock, ring } = stillClock();
  const silent = new ReadableStream({ type: "bytes" });
  const reading = bytesOf(bodyOf(silent, { clock }));
  ring();
  await assert.rejects(reading, hasCode("malformed"));
});

Deno.test("whoever takes over ends the body with the reason", async () => {
  const controller = new AbortController();
  const silent = new ReadableStream({ type: "bytes" });
  const reading = bytesOf(bodyOf(silent, { signal: controller.signal }));
  controller.abort(new MeshError("conflict", "another"));
  await assert.rejects(reading, hasCode("conflict"));
  const late = bodyOf(streamOf([1]), { signal: controller.signal });
  await assert.rejects(bytesOf(late), hasCode("conflict"));
});

Deno.test("a connection that breaks is told as one", async () => {
  const broken = new ReadableStream({
    type: "bytes",
    pull: (controller) => controller.error(new TypeError("reset by peer")),
  });
  await assert.rejects(bytesOf(bodyOf(broken)), hasCode("malformed"));
});
