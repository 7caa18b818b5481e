/** What a host's transcript tells. Lines are of the shape that Claude Code 2.1 writes. */
import assert from "node:assert/strict";
import { shownByChannel, transcriptStatus } from "./transcript.ts";

const PROMPT = { type: "user", message: { role: "user", content: "go" } };
const TOOL_USE = {
  type: "assistant",
  message: { content: [{ type: "tool_use", name: "Bash" }], stop_reason: "tool_use" },
};
const TOOL_RESULT = { type: "user", message: { content: [{ type: "tool_result", content: "" }] } };
const ANSWER = {
  type: "assistant",
  message: { content: [{ type: "text", text: "ok" }], stop_reason: "end_turn" },
};
const HALF_ANSWER = { type: "assistant", message: { content: [{ type: "text", text: "o" }] } };
const INTERRUPTED = {
  type: "user",
  message: { content: [{ type: "text", text: "[Request interrupted by user]" }] },
};
const NOISE = { type: "attachment", attachment: { type: "date" } };
const SUBAGENT = { ...ANSWER, isSidechain: true };

async function withTranscript(
  lines: readonly unknown[],
  run: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".jsonl" });
  try {
    await Deno.writeTextFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

async function statusOf(lines: readonly unknown[], ageMs = 0): Promise<string | null> {
  let status: string | null = null;
  await withTranscript(lines, async (path) => {
    const { mtime } = await Deno.stat(path);
    status = await transcriptStatus(path, (mtime?.getTime() ?? 0) + ageMs);
  });
  return status;
}

Deno.test("a prompt, a tool call and its result mean working", async () => {
  assert.equal(await statusOf([PROMPT]), "working");
  assert.equal(await statusOf([PROMPT, TOOL_USE, NOISE]), "working");
  assert.equal(await statusOf([PROMPT, TOOL_USE, TOOL_RESULT]), "working");
});

Deno.test("a finished answer and an interruption mean idle", async () => {
  assert.equal(await statusOf([PROMPT, ANSWER, NOISE]), "idle");
  assert.equal(await statusOf([PROMPT, TOOL_USE, INTERRUPTED]), "idle");
});

Deno.test("an answer without its end is being written for half a minute", async () => {
  assert.equal(await statusOf([PROMPT, HALF_ANSWER], 1_000), "working");
  assert.equal(await statusOf([PROMPT, HALF_ANSWER], 60_000), "idle");
});

Deno.test("a sub-agent's end is not the end of the session's turn", async () => {
  assert.equal(await statusOf([PROMPT, TOOL_USE, SUBAGENT]), "working");
});

Deno.test("a transcript that has not grown for half an hour means idle", async () => {
  assert.equal(await statusOf([PROMPT, TOOL_USE], 3_600_000), "idle");
});

Deno.test("no transcript, an empty one and junk tell nothing", async () => {
  assert.equal(await transcriptStatus("/nonexistent/x.jsonl", 0), null);
  assert.equal(await statusOf([]), null);
  assert.equal(await statusOf(["junk", 3, null]), null);
});

Deno.test("only the end of a long transcript is read", async () => {
  const long = { type: "attachment", text: "x".repeat(200_000) };
  assert.equal(await statusOf([PROMPT, long, ANSWER]), "idle");
  assert.equal(await statusOf([PROMPT, long]), null);
});

Deno.test("a message counts as shown when its id stands in a channel event, and not otherwise", async () => {
  const event = {
    type: "user",
    message: { content: '<channel source="claudemesh" message_id="m-1">x' },
  };
  const mention = { type: "user", message: { content: "what became of m-2?" } };
  await withTranscript([event, mention], async (path) => {
    const found = await shownByChannel(path, ["m-1", "m-2"], 0);
    assert.deepEqual(found.shown, ["m-1"]);
    const again = await shownByChannel(path, ["m-1"], found.endByte);
    assert.deepEqual(again.shown, [], "what was searched is not searched again");
  });
});
