/** The inbox: everything once, through restarts and crashes, whatever order it comes in. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type ArrivedMessage, Inbox } from "./inbox.ts";
import { openStore, type StoreFile } from "./store_file.ts";

const MESH = { meshId: "mesh1", slug: "team" };
const DAY_MS = 86_400_000;

function arrived(messageId: string, fields: Partial<ArrivedMessage> = {}): ArrivedMessage {
  return {
    messageId,
    clientMessageId: `c-${messageId}`,
    identity: `c-${messageId}`,
    senderKey: "a".repeat(64),
    senderSessionKey: null,
    senderMemberId: "member1",
    senderName: "Ada",
    target: "b".repeat(64),
    priority: "next",
    type: "text",
    body: `body of ${messageId}`,
    replyTo: null,
    sentAtMs: 1,
    verification: "signed",
    state: "ok",
    reason: null,
    frame: null,
    ...fields,
  };
}

function withInbox(run: (inbox: Inbox, folder: string, clock: { nowMs: number }) => void): void {
  const folder = Deno.makeTempDirSync();
  const clock = { nowMs: 100 * DAY_MS };
  const inbox = new Inbox(folder, MESH, () => clock.nowMs);
  try {
    run(inbox, folder, clock);
  } finally {
    inbox.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

function texts(inbox: Inbox): (string | null)[] {
  return inbox.list({ limit: 1_000, sinceMs: 0, unseenOnly: false }).map((each) => each.body);
}

Deno.test("a message that came before, under its own or another broker id, is not new", () =>
  withInbox((inbox) => {
    const first = arrived("m1");
    assert.equal(inbox.receive([first]).length, 1);
    assert.deepEqual(inbox.receive([first]), []);
    assert.deepEqual(inbox.receive([arrived("m2", { identity: "c-m1" })]), []);
    assert.equal(
      inbox.receive([arrived("m3", { identity: "c-m1", senderKey: "c".repeat(64) })]).length,
      1,
    );
    assert.equal(texts(inbox).length, 2);
  }));

Deno.test("a forged message does not stand in the way of the true one", () =>
  withInbox((inbox) => {
    const forged = { identity: null, body: null, state: "rejected", reason: "forged" } as const;
    inbox.receive([arrived("m1", forged)]);
    assert.equal(inbox.receive([arrived("m2", { identity: "c-m1" })]).length, 1);
  }));

Deno.test("any sequence of pushes with repeats shows each message once, in order of first arrival", () =>
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat({ max: 12 })), { maxLength: 12 }),
      (batches) =>
        withInbox((inbox, folder) => {
          const expected: string[] = [];
          let current = inbox;
          for (const batch of batches) {
            const fresh = current.receive(batch.map((number) => arrived(`m${number}`)));
            const wanted = [...new Set(batch.map((number) => `m${number}`))]
              .filter((id) => !expected.includes(id));
            assert.deepEqual(fresh.map((each) => each.messageId), wanted);
            expected.push(...wanted);
            if (current !== inbox) current.close();
            current = new Inbox(folder, MESH, () => 1);
          }
          const listed = current.list({ limit: 1_000, sinceMs: 0, unseenOnly: false });
          assert.deepEqual(listed.map((each) => each.messageId), expected);
          if (current !== inbox) current.close();
        }),
    ),
    { numRuns: 25 },
  ));

Deno.test("a message that waited for its key takes its place at the end when it is opened", () =>
  withInbox((inbox) => {
    inbox.receive([
      arrived("m1", { state: "pending_key", body: null, identity: null, frame: "{}" }),
      arrived("m2"),
    ]);
    assert.deepEqual(inbox.readable(0, 0, 10).map((each) => each.messageId), ["m2"]);
    const [pending] = inbox.pending();
    assert.equal(pending!.frame, "{}");
    const opened = inbox.replacePending(pending!.seq, arrived("m1"));
    assert.equal(opened!.body, "body of m1");
    assert.deepEqual(texts(inbox), ["body of m2", "body of m1"]);
    assert.deepEqual(inbox.pending(), []);
  }));

Deno.test("a message that waited and had come in another way meanwhile is dropped", () =>
  withInbox((inbox) => {
    inbox.receive([arrived("m1", { state: "pending_key", identity: null, frame: "{}" })]);
    inbox.receive([arrived("m2", { identity: "c-m1" })]);
    assert.equal(inbox.replacePending(inbox.pending()[0]!.seq, arrived("m1")), null);
    assert.equal(texts(inbox).length, 1);
  }));

Deno.test("seen is counted once, told to the broker once, and kept", () =>
  withInbox((inbox, folder) => {
    inbox.receive([arrived("m1"), arrived("m2")]);
    assert.equal(inbox.unseenCount(), 2);
    assert.equal(inbox.markSeen(["m1", "m1", "unknown"]), 1);
    assert.equal(inbox.markSeen(["m1"]), 0);
    assert.deepEqual(inbox.unreported(10), ["m1"]);
    inbox.markReported(["m1"]);
    assert.deepEqual(inbox.unreported(10), []);
    const again = new Inbox(folder, MESH, () => 1);
    assert.equal(again.unseenCount(), 1);
    again.close();
  }));

Deno.test("after 30 days seen messages go, unseen ones stay", () =>
  withInbox((inbox, _folder, clock) => {
    inbox.receive([arrived("m1"), arrived("m2")]);
    inbox.markSeen(["m1"]);
    clock.nowMs += 30 * DAY_MS;
    assert.equal(inbox.sweep(), 0);
    clock.nowMs += 1;
    assert.equal(inbox.sweep(), 1);
    assert.deepEqual(texts(inbox), ["body of m2"]);
  }));

Deno.test("a batch that does not fit on the disk is not taken at all", () => {
  const folder = Deno.makeTempDirSync();
  let store: StoreFile | null = null;
  const inbox = new Inbox(folder, MESH, () => 1, (options) => store = openStore(options));
  inbox.receive([arrived("m1")]);
  store!.all("pragma max_page_count = 20");
  const batch = Array.from(
    { length: 100 },
    (_, index) => arrived(`n${index}`, { body: "x".repeat(2_000) }),
  );
  assert.throws(() => inbox.receive(batch), /disk is full/);
  assert.deepEqual(texts(inbox), ["body of m1"]);
  store!.all("pragma max_page_count = 1000000");
  assert.equal(inbox.receive(batch).length, 100);
  inbox.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("every message that was confirmed before the process was killed is there, once", async () => {
  const folder = Deno.makeTempDirSync();
  const module = new URL("./inbox.ts", import.meta.url).href;
  const script = `
    const { Inbox } = await import(${JSON.stringify(module)});
    const message = JSON.parse(Deno.args[1]);
    const inbox = new Inbox(Deno.args[0], { meshId: "mesh1", slug: "team" }, () => 1);
    for (let round = 0; ; round++) {
      inbox.receive([0, 1, 2].map((lane) => {
        const messageId = round + "-" + lane;
        return { ...message, messageId, identity: messageId, body: "x".repeat(3000) };
      }));
      Deno.stdout.writeSync(new TextEncoder().encode(round + "\\n"));
    }`;
  for (const killAfter of [3, 30]) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", script, folder, JSON.stringify(arrived("m"))],
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split("\n").length > killAfter) child.kill("SIGKILL");
    }
    await child.status;
    const inbox = new Inbox(folder, MESH, () => 1);
    const ids = inbox.list({ limit: 1_000_000, sinceMs: 0, unseenOnly: false })
      .map((each) => each.messageId);
    const rounds = text.split("\n").length - 1;
    for (let round = 0; round < rounds; round++) {
      assert.deepEqual(
        ids.slice(round * 3, round * 3 + 3),
        [0, 1, 2].map((lane) => `${round}-${lane}`),
      );
    }
    assert.equal(new Set(ids).size, ids.length);
    inbox.close();
  }
  Deno.removeSync(folder, { recursive: true });
});
