/** Who is handed which message. */
import assert from "node:assert/strict";
import type { Group } from "../../broker/api/fields.ts";
import { type ArrivedMessage, Inbox } from "./inbox.ts";
import { Readers, type ReaderSession } from "./readers.ts";

interface Stage {
  readonly inbox: Inbox;
  readonly readers: Readers;
  readonly sessions: ReaderSession[];
  arrive(id: string, fields?: Partial<ArrivedMessage>): void;
  taken(reader: string, ...priorities: ("now" | "next" | "low")[]): string[];
}

function session(sessionId: string, groups: Group[] = []): ReaderSession {
  return { sessionId, pubkey: `key of ${sessionId}`, displayName: `Name ${sessionId}`, groups };
}

function onStage(run: (stage: Stage) => void): void {
  const folder = Deno.makeTempDirSync();
  const inbox = new Inbox(folder, { meshId: "mesh1", slug: "team" }, () => 1);
  const sessions = [session("s1", [{ name: "Eng/Api" }]), session("s2")];
  const readers = new Readers(inbox, () => sessions);
  try {
    run({
      inbox,
      readers,
      sessions,
      arrive: (id, fields = {}) => {
        inbox.receive([{
          messageId: id,
          clientMessageId: id,
          identity: id,
          senderKey: "a".repeat(64),
          senderSessionKey: null,
          senderMemberId: "member1",
          senderName: "Ada",
          target: "my member key",
          priority: "next",
          type: "text",
          body: id,
          replyTo: null,
          sentAtMs: 1,
          verification: "signed",
          state: "ok",
          reason: null,
          frame: null,
          ...fields,
        }]);
      },
      taken: (reader, ...priorities) =>
        readers.take(reader, priorities.length === 0 ? {} : { priorities })
          .map((each) => each.messageId),
    });
  } finally {
    inbox.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a message to the member goes to each session, once", () =>
  onStage(({ readers, arrive, taken }) => {
    readers.begin("s1");
    readers.begin("s2");
    arrive("m1");
    assert.deepEqual(taken("s1"), ["m1"]);
    assert.deepEqual(taken("s1"), []);
    arrive("m2");
    assert.deepEqual(taken("s1"), ["m2"]);
    assert.deepEqual(taken("s2"), ["m1", "m2"]);
  }));

Deno.test("a message to a session, by key or name, is for it alone as long as it is attached", () =>
  onStage(({ sessions, arrive, taken }) => {
    arrive("m1", { target: "key of s1" });
    arrive("m2", { target: "name S1" });
    assert.deepEqual(taken("s2"), []);
    assert.deepEqual(taken("s1"), ["m1", "m2"]);
    arrive("m3", { target: "key of s1" });
    sessions.shift();
    assert.deepEqual(taken("s2"), ["m1", "m2", "m3"]);
  }));

Deno.test("a group's message is for sessions in the group or below, without any for all", () =>
  onStage(({ arrive, taken }) => {
    arrive("m1", { target: "@eng" });
    arrive("m2", { target: "@eng/api" });
    arrive("m3", { target: "@eng/web" });
    arrive("m4", { target: "*" });
    assert.deepEqual(taken("s1"), ["m1", "m2", "m3", "m4"]);
    assert.deepEqual(taken("s2"), ["m3", "m4"]);
  }));

Deno.test("of older messages a reader gets those that nobody has seen", () =>
  onStage(({ inbox, arrive, taken }) => {
    arrive("m1");
    arrive("m2");
    inbox.markSeen(["m1"]);
    assert.deepEqual(taken("s1"), ["m2"]);
    arrive("m3");
    inbox.markSeen(["m2", "m3"]);
    assert.deepEqual(taken("s1"), ["m3"]);
    assert.deepEqual(taken("s2"), []);
  }));

Deno.test("low messages are handed over only when they are asked for", () =>
  onStage(({ arrive, taken }) => {
    arrive("m1", { priority: "low" });
    arrive("m2");
    assert.deepEqual(taken("s1"), ["m2"]);
    assert.deepEqual(taken("s1", "low", "next", "now"), ["m1"]);
    assert.deepEqual(taken("s1", "low", "next", "now"), []);
  }));

Deno.test("peeking hands nothing over", () =>
  onStage(({ readers, arrive, taken }) => {
    arrive("m1");
    assert.equal(readers.take("s1", { peek: true }).length, 1);
    assert.deepEqual(taken("s1"), ["m1"]);
  }));

Deno.test("a reader that takes a few at a time gets all of them in order", () =>
  onStage(({ inbox, readers, arrive }) => {
    readers.begin("s1");
    const ids = Array.from({ length: 450 }, (_, index) => `m${index}`);
    for (const id of ids) arrive(id);
    inbox.markSeen(ids.slice(0, 300));
    const taken: string[] = [];
    for (;;) {
      const part = readers.take("s1", { limit: 70 });
      if (part.length === 0) break;
      taken.push(...part.map((each) => each.messageId));
    }
    assert.deepEqual(taken, ids);
  }));

Deno.test("messages whose key is missing are not handed over, rejected ones are", () =>
  onStage(({ arrive, taken }) => {
    arrive("m1", { state: "pending_key", body: null, identity: null, frame: "{}" });
    arrive("m2", { state: "rejected", body: null, identity: null, reason: "forged" });
    assert.deepEqual(taken("s1"), ["m2"]);
  }));
