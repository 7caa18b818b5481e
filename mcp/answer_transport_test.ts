/** When an answer counts as written. */
import assert from "node:assert/strict";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport";
import { AnswerTransport } from "./answer_transport.ts";

function transport(send: () => Promise<void>): AnswerTransport {
  const inner = { start: () => Promise.resolve(), close: () => Promise.resolve(), send };
  return new AnswerTransport(inner as Transport);
}

Deno.test("the act runs after the answer to its request was written, once", async () => {
  const done: string[] = [];
  const answers = transport(() => {
    done.push("written");
    return Promise.resolve();
  });
  answers.afterAnswer(1, () => done.push("act"));
  await answers.send({ jsonrpc: "2.0", method: "notifications/x" });
  await answers.send({ jsonrpc: "2.0", id: 2, result: {} });
  assert.deepEqual(done, ["written", "written"]);
  await answers.send({ jsonrpc: "2.0", id: 1, result: {} });
  await answers.send({ jsonrpc: "2.0", id: 1, result: {} });
  assert.deepEqual(done.slice(2), ["written", "act", "written"]);
});

Deno.test("an answer that could not be written leads to no act", async () => {
  let acted = false;
  const answers = transport(() => Promise.reject(new Error("gone")));
  answers.afterAnswer(1, () => {
    acted = true;
  });
  await assert.rejects(answers.send({ jsonrpc: "2.0", id: 1, result: {} }), { message: "gone" });
  assert.equal(acted, false);
});
