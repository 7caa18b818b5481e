/** Which events become channel events, and when. */
import assert from "node:assert/strict";
import type { LocalEvent } from "../agent/core/local_types.ts";
import type { ChannelEvent } from "./channel.ts";
import { ChannelPushes } from "./channel_pushes.ts";

/** Collects what is sent, and tells of each. */
class Sent {
  readonly contents: string[] = [];
  readonly #heard = new Set<() => void>();

  send(event: ChannelEvent): Promise<void> {
    this.contents.push(event.content);
    for (const tell of this.#heard) tell();
    return Promise.resolve();
  }

  async count(wanted: number): Promise<void> {
    while (this.contents.length < wanted) {
      const next = Promise.withResolvers<void>();
      this.#heard.add(next.resolve);
      await next.promise;
      this.#heard.delete(next.resolve);
    }
  }
}

function message(text: string, priority = "next"): LocalEvent {
  const fields = { kind: "direct", type: "text", state: "ok", text, priority, fromName: "Ada" };
  return { kind: "message", mesh: "team", message: fields } as unknown as LocalEvent;
}

function joined(name: string): LocalEvent {
  const data = { name };
  return { kind: "system", mesh: "team", meshId: "m", event: "peer_joined", data, own: false };
}

async function pushed(
  mode: "push" | "inbox" | "off",
  events: readonly LocalEvent[],
): Promise<string[]> {
  const sent = new Sent();
  const pushes = new ChannelPushes({ send: (event) => sent.send(event), graceMs: 0 });
  pushes.mode = mode;
  pushes.clientReady();
  for (const event of events) pushes.take(event);
  // A marker that every mode lets through stands last.
  pushes.mode = "push";
  pushes.take(message("end"));
  while (sent.contents.at(-1) !== "Ada: end") await sent.count(sent.contents.length + 1);
  pushes.close();
  return sent.contents.slice(0, -1);
}

Deno.test("nothing is sent before the client is ready and a while has passed, then all in order", async () => {
  const sent = new Sent();
  const pushes = new ChannelPushes({ send: (event) => sent.send(event), graceMs: 5 });
  pushes.take(message("one"));
  assert.deepEqual(sent.contents, []);
  pushes.clientReady();
  pushes.take(message("two"));
  assert.deepEqual(sent.contents, []);
  await sent.count(2);
  pushes.take(message("three"));
  assert.deepEqual(sent.contents, ["Ada: one", "Ada: two", "Ada: three"]);
  pushes.close();
});

Deno.test("mode push sends texts and system lines, but never what is low", async () => {
  assert.deepEqual(await pushed("push", [message("a"), message("b", "low"), joined("Bob")]), [
    "Ada: a",
    "[system] Bob joined the mesh.",
  ]);
});

Deno.test("mode inbox sends notices in place of texts", async () => {
  const contents = await pushed("inbox", [message("secret"), message("low", "low"), joined("Bob")]);
  assert.equal(contents.length, 2);
  assert.match(contents[0] ?? "", /^\[inbox\]/);
  assert.ok(!contents.join().includes("secret"));
});

Deno.test("mode off sends nothing, not even system lines, and drops what waited", async () => {
  assert.deepEqual(await pushed("off", [message("a", "now"), joined("Bob")]), []);
  const sent = new Sent();
  const pushes = new ChannelPushes({ send: (event) => sent.send(event), graceMs: 0 });
  pushes.take(message("waited"));
  pushes.mode = "off";
  pushes.mode = "push";
  pushes.clientReady();
  pushes.take(message("later"));
  await sent.count(1);
  assert.deepEqual(sent.contents, ["Ada: later"]);
  pushes.close();
});

Deno.test("a flood before the client is ready keeps the newest five hundred", async () => {
  const sent = new Sent();
  const pushes = new ChannelPushes({ send: (event) => sent.send(event), graceMs: 0 });
  for (let count = 1; count <= 502; count++) pushes.take(message(String(count)));
  pushes.clientReady();
  await sent.count(500);
  assert.deepEqual([sent.contents.length, sent.contents[0]], [500, "Ada: 3"]);
  pushes.close();
});

Deno.test("after a failed write nothing more is tried", async () => {
  let attempts = 0;
  const failed = Promise.withResolvers<void>();
  const pushes = new ChannelPushes({
    send() {
      attempts += 1;
      queueMicrotask(failed.resolve);
      return Promise.reject(new Error("gone"));
    },
    graceMs: 0,
  });
  pushes.take(message("one"));
  pushes.clientReady();
  await failed.promise;
  await Promise.resolve();
  pushes.take(message("two"));
  assert.equal(attempts, 1);
});
