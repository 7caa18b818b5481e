/** Answers of one turn in one frame. */
import assert from "node:assert/strict";
import { AnswerBatch } from "./answer_batch.ts";

function answerOf(number: number, padding = ""): string {
  return JSON.stringify({ type: "ack", _reqId: `${number}`, padding });
}

Deno.test("answers of one turn share a frame, and a lone one is sent as it is", async () => {
  const sent: string[] = [];
  const batch = new AnswerBatch((frame) => sent.push(frame));
  for (const number of [1, 2, 3]) batch.add(answerOf(number));
  await Promise.resolve();
  batch.add(answerOf(4));
  await Promise.resolve();
  const answers = [1, 2, 3].map((number) => JSON.parse(answerOf(number)));
  assert.deepEqual(sent.map((frame) => JSON.parse(frame)), [
    { type: "answer_batch", answers },
    JSON.parse(answerOf(4)),
  ]);
});

Deno.test("long answers are not joined beyond the bound, and none is lost", async () => {
  const sent: string[] = [];
  const batch = new AnswerBatch((frame) => sent.push(frame));
  const long = "x".repeat(30_000);
  for (const number of [1, 2, 3, 4, 5]) batch.add(answerOf(number, long));
  await Promise.resolve();
  assert.deepEqual(
    sent.map((frame) => JSON.parse(frame).answers?.length ?? 1),
    [2, 2, 1],
  );
});

Deno.test("what is flushed is not sent again at the end of the turn", async () => {
  const sent: string[] = [];
  const batch = new AnswerBatch((frame) => sent.push(frame));
  batch.add(answerOf(1));
  batch.flush();
  batch.flush();
  await Promise.resolve();
  assert.deepEqual(sent, [answerOf(1)]);
});
