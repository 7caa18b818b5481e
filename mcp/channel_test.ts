/** Channel events: the sanitiser, and the shape of each kind. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { LocalEvent, LocalMessage, SessionState } from "../agent/core/local_types.ts";
import {
  type ChannelEvent,
  channelEvent,
  inboxEvent,
  messageEvent,
  streamEvent,
  systemEvent,
  welcomeEvent,
} from "./channel.ts";

const KEY = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

function message(changes: Partial<LocalMessage> = {}): LocalMessage {
  return {
    id: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
    meshId: "mesh1",
    mesh: "team",
    fromName: "Ada",
    fromPubkey: KEY,
    fromSessionPubkey: null,
    target: KEY,
    kind: "direct",
    priority: "next",
    type: "text",
    text: "hello",
    state: "ok",
    reason: null,
    verification: "signed",
    replyTo: null,
    sentAt: "2026-11-21T10:00:00.000Z",
    receivedAt: "2026-11-21T10:00:01.000Z",
    seenAt: null,
    ...changes,
  };
}

function system(event: string, data: Record<string, unknown>, own = false) {
  return systemEvent({ kind: "system", mesh: "team", meshId: "mesh1", event, data, own } as Extract<
    LocalEvent,
    { kind: "system" }
  >);
}

/** What the host's schema demands of an event. */
function isAccepted({ content, meta }: ChannelEvent): void {
  assert.equal(typeof content, "string");
  for (const [key, value] of Object.entries(meta)) {
    assert.match(key, /^[A-Za-z_][A-Za-z0-9_]*$/);
    assert.equal(typeof value, "string", key);
  }
}

Deno.test("whatever goes into an event, the host accepts what comes out", () => {
  fc.assert(fc.property(fc.string(), fc.dictionary(fc.string(), fc.anything()), (content, meta) => {
    isAccepted(channelEvent(content, JSON.parse(JSON.stringify(meta))));
  }));
});

Deno.test("numbers become digits, lists JSON, and what is not there is left out", () => {
  const { meta } = channelEvent("x", {
    count: 3,
    list: ["a"],
    flag: true,
    missing: null,
    nothing: undefined,
    "bad-key": "x",
  });
  assert.deepEqual(meta, { count: "3", list: '["a"]', flag: "true" });
});

Deno.test("a content that is too long is cut and says where the rest is", () => {
  const { content } = channelEvent("x".repeat(50_000), {});
  assert.match(content, /x\n\[cut; check_messages has all of it\]$/);
  assert.ok(content.length < 41_000);
});

Deno.test("a message says how urgent it is, who wrote it, and to whom", () => {
  const at = "2026-11-21T10:00:02.000Z";
  assert.equal(messageEvent(message(), at).content, "Ada: hello");
  assert.equal(messageEvent(message({ priority: "now" }), at).content, "[URGENT] Ada: hello");
  assert.equal(
    messageEvent(message({ kind: "broadcast", target: "*" }), at).content,
    "Ada (broadcast): hello",
  );
  assert.equal(
    messageEvent(message({ kind: "group", target: "@eng" }), at).content,
    "Ada (to @eng): hello",
  );
  const { meta } = messageEvent(message({ replyTo: "m-1" }), at);
  assert.deepEqual(meta, {
    from_id: KEY,
    from_pubkey: KEY,
    from_name: "Ada",
    mesh_slug: "team",
    mesh_id: "mesh1",
    message_id: message().id,
    reply_to_id: "m-1",
    priority: "next",
    verification: "signed",
    sent_at: message().sentAt,
    delivered_at: at,
    kind: "direct",
  });
});

Deno.test("a reminder says who set it and that it is not end-to-end encrypted", () => {
  const reminder = message({ type: "reminder", verification: "none", priority: "now" });
  const { content, meta } = messageEvent(reminder, "2026-11-21T10:00:02.000Z");
  assert.equal(
    content,
    "[reminder set by Ada, kept by the broker, not end-to-end encrypted]: hello",
  );
  assert.deepEqual([meta.subtype, meta.verification], ["reminder", "none"]);
  assert.match(inboxEvent(reminder).content, /^\[inbox\] A reminder set by Ada is due in team/);
  const signed = messageEvent(message({ type: "reminder" }), "2026-11-21T10:00:02.000Z");
  assert.equal(signed.content, "Ada: hello");
  assert.ok(!("subtype" in signed.meta), "a peer's message is no reminder, whatever it is called");
});

Deno.test("a tick is a heartbeat, missed runs are told with what became of them", () => {
  const tick = system("tick", { tick: 3, simTime: "2026-11-21T10:03:00.000Z", speed: 10 })!;
  assert.equal(
    tick.content,
    "[heartbeat] tick 3, simulated time 2026-11-21T10:03:00.000Z, x10",
  );
  const data = { message: "stand-up", toName: "@team", reason: "late", missed: 3, ran: 1 };
  assert.equal(
    system("reminder_missed", data)?.content,
    '[system] Your reminder "stand-up" for @team missed 3 runs (late), 1 made up for.',
  );
  assert.match(
    system("reminder_missed", { ...data, missed: 1, ran: 0 })!.content,
    /missed a run \(late\), none was made up for/,
  );
});

Deno.test("a message that cannot be read is a warning with the sender's key in place of its text", () => {
  const refused = message({ text: null, state: "rejected", reason: "bad signature" });
  const { content } = messageEvent(refused, "");
  assert.match(content, /^Ada: \[refused, not shown: bad signature; sender key 8a88e3dd7409\]$/);
});

Deno.test("a notice has the sender and not a word of the text", () => {
  const { content, meta } = inboxEvent(message({ text: "a secret" }));
  assert.match(content, /^\[inbox\] Ada .*check_messages/);
  assert.ok(!content.includes("secret"));
  assert.equal(meta.kind, "inbox_notification");
});

Deno.test("a system event is a line with its data as JSON text", () => {
  const event = system("peer_joined", { name: "Bob", pubkey: KEY, groups: [{ name: "eng" }] });
  assert.ok(event !== null);
  assert.equal(event.content, "[system] Bob joined the mesh. Groups: @eng.");
  assert.deepEqual([event.meta.kind, event.meta.event], ["system", "peer_joined"]);
  assert.equal(JSON.parse(event.meta.eventData ?? "").name, "Bob");
});

Deno.test("a peer that returns brings what is remembered of it", () => {
  const event = system("peer_returned", {
    name: "Bob",
    pubkey: KEY,
    groups: [],
    lastSeenAt: "2026-11-21T09:00:00.000Z",
    summary: "the migration",
  });
  assert.equal(
    event?.content,
    "[system] Bob is back. Last seen 2026-11-21T09:00:00.000Z. Was working on: the migration",
  );
});

Deno.test("many arrivals at once are one line", () => {
  const peers = Array.from({ length: 12 }, (_, index) => ({ name: `P${index}` }));
  const event = system("peers_joined", { count: 41, peers });
  assert.match(event?.content ?? "", /^\[system\] 41 peers joined: P0, .*P9 and 31 more$/);
});

Deno.test("one's own connections, control connections and key matters are silent", () => {
  assert.equal(system("peer_joined", { name: "Me" }, true), null);
  assert.equal(system("peer_joined", { name: "Bob", peerRole: "control-plane" }), null);
  assert.equal(system("mesh_key_changed", { epoch: 2 }), null);
  assert.equal(system("key_requested", { name: "Bob", proven: true }), null);
  assert.match(
    system("key_requested", { name: "Bob", proven: false })?.content ?? "",
    /a person must decide/,
  );
});

Deno.test("an event that this version does not know is shown as it is", () => {
  assert.equal(system("new_thing", { a: 1 })?.content, '[system] new_thing: {"a":1}');
});

Deno.test("the welcome tells who one is, who is here and what waits", () => {
  const mesh = { slug: "team", meshId: "mesh1", displayName: "Ada", role: "owner" };
  const event = welcomeEvent(mesh as SessionState["meshes"][number], ["Bob"], 2);
  assert.match(event.content, /You are Ada in the mesh team\. Here are: Bob\. 2 unread/);
  assert.equal(event.meta.peer_names, '["Bob"]');
  isAccepted(event);
});

function streamNews(news: Extract<LocalEvent, { kind: "stream" }>["news"]) {
  return streamEvent({ kind: "stream", mesh: "team", meshId: "mesh1", news });
}

Deno.test("an event of a stream says which, who and what, with its number beside", () => {
  const event = streamNews({
    kind: "event",
    stream: "builds",
    seq: 7,
    data: { ok: true },
    publishedBy: "Ada",
    publishedByKey: KEY,
    publishedAt: "2026-11-21T10:00:00.000Z",
  })!;
  assert.equal(event.content, '[stream:builds] from Ada: {"ok":true}');
  const { kind, stream, seq, published_by } = event.meta;
  assert.deepEqual([kind, stream, seq, published_by], ["stream_data", "builds", "7", "Ada"]);
  isAccepted(event);
});

Deno.test("a gap and the end of a stream are told, its beginning is not", () => {
  const gap = streamNews({ kind: "gap", stream: "builds", from: 3, to: 9 })!;
  assert.match(gap.content, /events 3 to 9 are not kept any more/);
  const ended = streamNews({ kind: "ended", stream: "builds" })!;
  assert.equal(ended.content, "[stream:builds] was deleted.");
  for (const event of [gap, ended]) isAccepted(event);
  assert.equal(streamNews({ kind: "begun", stream: "builds", from: 1 }), null);
});

Deno.test("an event that is too long says where all of it is", () => {
  const event = streamNews({
    kind: "event",
    stream: "builds",
    seq: 7,
    data: "x".repeat(60_000),
    publishedBy: "Ada",
    publishedByKey: KEY,
    publishedAt: "2026-11-21T10:00:00.000Z",
  })!;
  assert.ok(event.content.length < 21_000);
  assert.match(event.content, /\[cut; `claudemesh stream history builds --from 7 --limit 1`/);
});

Deno.test("what became of a task is a line with its id; a peer's title cannot break out of it", () => {
  const data = {
    taskId: "T1b2C3d4E5f6",
    title: 'Write "it"\nnow',
    priority: "high",
    assignee: "Bob",
    by: { name: "Ada", pubkey: KEY },
    reason: null,
  };
  assert.equal(
    system("task_created", data)?.content,
    '[system] New task: "Write \\"it\\"\\nnow" [id T1b2C3d4E5f6, high, for Bob]',
  );
  assert.match(system("task_completed", data)?.content ?? "", /^\[system\] Ada completed the task/);
  const lapsed = { ...data, by: null, reason: "lease_expired" };
  assert.match(system("task_released", lapsed)?.content ?? "", /open again:.*\(lease_expired\)$/);
});

Deno.test("a shared file is told with how to fetch it, its name as a peer's word", () => {
  const data = { fileId: "file1", name: 'a"b\n.md', size: 66_000, from: "Ada", fromPubkey: "k" };
  assert.equal(
    system("file_shared", data)?.content,
    '[system] Ada shared the file "a\\"b\\n.md" (66000 bytes): get_file with id file1 fetches it.',
  );
  const gone = system("file_deleted", { fileId: "file1", name: "a.md" });
  assert.equal(gone?.content, '[system] The shared file "a.md" was deleted.');
});

Deno.test("that a peer reads in a shared folder is no news for a model", () => {
  const data = { pubkey: "k", name: "Bob", do: "read", path: "a.md", refused: null };
  assert.equal(system("peer_file_served", data), null);
});
