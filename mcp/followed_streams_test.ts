/** What a session remembers of the streams that it follows. */
import assert from "node:assert/strict";
import type { LocalEvent } from "../agent/core/local_types.ts";
import { FollowedStreams } from "./followed_streams.ts";

type StreamEvent = Extract<LocalEvent, { kind: "stream" }>;

function told(news: StreamEvent["news"]): StreamEvent {
  return { kind: "stream", mesh: "team", meshId: "mesh1", news };
}

function event(seq: number): StreamEvent {
  return told({
    kind: "event",
    stream: "s",
    seq,
    data: seq,
    publishedBy: "Ada",
    publishedByKey: "a".repeat(64),
    publishedAt: "2026-11-21T10:00:00.000Z",
  });
}

Deno.test("events count from the beginning of a subscription on, and move its position", () => {
  const followed = new FollowedStreams();
  assert.equal(followed.heard(event(1)), false);
  assert.equal(followed.heard(told({ kind: "begun", stream: "s", from: 2 })), false);
  assert.equal(followed.heard(event(2)), true);
  assert.equal(followed.heard(told({ kind: "gap", stream: "s", from: 3, to: 5 })), true);
  assert.deepEqual(followed.wanted(), []);
  followed.lost();
  const wanted = { mesh: "team", meshId: "mesh1", stream: "s", from: 6 };
  assert.deepEqual(followed.wanted(), [wanted]);
});

Deno.test("after a loss nothing counts until the stream is followed again", () => {
  const followed = new FollowedStreams();
  followed.heard(told({ kind: "begun", stream: "s", from: 1 }));
  followed.heard(event(1));
  followed.lost();
  // The agent has gone on for a connection that was dead.
  assert.equal(followed.heard(event(7)), false);
  assert.equal(followed.wanted()[0]?.from, 2);
  followed.heard(told({ kind: "begun", stream: "s", from: 2 }));
  assert.equal(followed.heard(event(2)), true);
  assert.deepEqual(followed.wanted(), []);
});

Deno.test("a stream that has ended is followed no more", () => {
  const followed = new FollowedStreams();
  followed.heard(told({ kind: "begun", stream: "s", from: 1 }));
  assert.equal(followed.heard(told({ kind: "ended", stream: "s" })), true);
  followed.lost();
  assert.deepEqual(followed.wanted(), []);
});
