/** Requests that never get their answer. */
import assert from "node:assert/strict";
import type { AgentClock } from "./agent_clock.ts";
import { LocalError } from "./local_error.ts";
import { PendingRequests } from "./pending_requests.ts";

function pending(): { requests: PendingRequests; passTime: () => void } {
  let due = () => {};
  const clock = {
    after(_delayMs: number, run: () => void) {
      due = run;
      return () => {};
    },
  };
  return { requests: new PendingRequests(clock as unknown as AgentClock), passTime: () => due() };
}

async function failureOf(answer: Promise<unknown>): Promise<LocalError> {
  const failure = await answer.then(() => null, (error: unknown) => error);
  assert.ok(failure instanceof LocalError);
  return failure;
}

Deno.test("a request whose answer was lost with the connection is said to be done perhaps", async () => {
  const { requests } = pending();
  const { answer } = requests.add("create_task", 5_000);
  requests.rejectAll("the connection was lost");
  const { code, message, hint } = await failureOf(answer);
  assert.equal(code, "offline");
  assert.match(message, /connection was lost.*create_task/);
  assert.match(hint ?? "", /may have been done/);
});

Deno.test("so is one that was not answered in time", async () => {
  const { requests, passTime } = pending();
  const { answer } = requests.add("publish", 5_000);
  passTime();
  const { code, hint } = await failureOf(answer);
  assert.equal(code, "timeout");
  assert.match(hint ?? "", /may have been done/);
});
