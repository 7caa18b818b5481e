/** Following streams over a connection that comes and goes, with answers and events in every order. */
import assert from "node:assert/strict";
import { MeshError } from "../../broker/api/errors.ts";
import { StillClock } from "../../tests/support/agent_clock.ts";
import type { Frame } from "./frame.ts";
import { LocalError } from "./local_error.ts";
import { StreamFollowing } from "./stream_following.ts";
import type { StreamNews } from "./stream_news.ts";

interface Request {
  readonly wire: string;
  readonly input: Readonly<Record<string, unknown>>;
  answer(fields: object): void;
  refuse(error: Error): void;
}

/** A connection whose requests a test answers. */
class ScriptedLink {
  isUp = true;
  readonly requests: Request[] = [];
  readonly posts: string[] = [];

  ready(): Promise<void> {
    return this.isUp ? Promise.resolve() : Promise.reject(new LocalError("offline", "down"));
  }

  request(wire: string, input: Readonly<Record<string, unknown>>): Promise<Frame> {
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    const answer = (fields: object) => resolve({ type: wire, ...fields });
    this.requests.push({ wire, input, answer, refuse: reject });
    return promise;
  }

  post(wire: string): boolean {
    this.posts.push(wire);
    return true;
  }

  /** The next request, once it is made. */
  async next(): Promise<Request> {
    for (let turn = 0; turn < 50; turn++) {
      const request = this.requests.shift();
      if (request !== undefined) return request;
      await null;
    }
    throw new Error("no request was made");
  }
}

class Stage {
  readonly clock = new StillClock();
  readonly link = new ScriptedLink();
  readonly news: StreamNews[] = [];
  readonly following = new StreamFollowing({
    clock: this.clock,
    link: (follower) => follower === "gone" ? undefined : this.link,
    emit: (_, news) => this.news.push(news),
  });

  event(seq: number): void {
    this.following.take("s1", {
      type: "stream_data",
      stream: "s",
      seq,
      data: seq,
      publishedBy: "Ada",
      publishedByKey: "a".repeat(64),
      publishedAt: "2026-11-21T10:00:00.000Z",
    });
  }

  /** What was told, in short. */
  get told(): string {
    return this.news.map((news) => {
      if (news.kind === "event") return news.seq;
      if (news.kind === "gap") return `${news.from}-${news.to}`;
      return news.kind === "begun" ? `begun:${news.from}` : news.kind;
    }).join(" ");
  }

  /** Follows the stream from its next number on. */
  async follow(from = 1, id = "id"): Promise<void> {
    const following = this.following.follow("s1", "s");
    (await this.link.next()).answer(position(from, id));
    await following;
  }
}

function position(from: number, id = "id", gap: object | null = null): object {
  return { stream: "s", id, from, lastSeq: from - 1, gap };
}

Deno.test("events that come in one turn with the answer wait for it", async () => {
  const stage = new Stage();
  const following = stage.following.follow("s1", "s", 3);
  const request = await stage.link.next();
  assert.deepEqual(request.input, { stream: "s", includeOwn: false, from: 3 });
  request.answer(position(3));
  stage.event(3);
  stage.event(4);
  assert.equal((await following).from, 3);
  assert.equal(stage.told, "begun:3 3 4");
});

Deno.test("an event that came before is dropped, whatever the broker sends again", async () => {
  const stage = new Stage();
  await stage.follow();
  for (const seq of [1, 2, 2, 1, 3]) stage.event(seq);
  assert.equal(stage.told, "begun:1 1 2 3");
});

Deno.test("a new connection is asked for what comes after the last event seen", async () => {
  const stage = new Stage();
  await stage.follow();
  stage.event(1);
  stage.event(2);
  stage.following.connected("s1");
  const request = await stage.link.next();
  assert.deepEqual(request.input, { stream: "s", includeOwn: false, from: 3 });
  request.answer(position(6, "id", { from: 3, to: 5 }));
  stage.event(6);
  await stage.following.unfollow("gone", "s");
  assert.equal(stage.told, "begun:1 1 2 3-5 6");
});

Deno.test("going back, events of the old position that are on their way mean nothing", async () => {
  const stage = new Stage();
  await stage.follow(50);
  stage.event(50);
  const following = stage.following.follow("s1", "s", 1);
  const ending = await stage.link.next();
  assert.equal(ending.wire, "unsubscribe");
  stage.event(51);
  ending.answer({});
  const beginning = await stage.link.next();
  assert.deepEqual([beginning.wire, beginning.input.from], ["subscribe", 1]);
  beginning.answer(position(1));
  stage.event(1);
  await following;
  assert.equal(stage.told, "begun:50 50 begun:1 1");
});

Deno.test("a stream that was made anew meanwhile begins at its first event", async () => {
  const stage = new Stage();
  await stage.follow(10);
  stage.event(10);
  stage.following.connected("s1");
  (await stage.link.next()).answer(position(4, "another"));
  stage.event(4);
  (await stage.link.next()).answer({});
  const again = await stage.link.next();
  assert.equal(again.input.from, 1);
  again.answer(position(1, "another"));
  stage.event(1);
  await stage.following.unfollow("gone", "s");
  assert.equal(stage.told, "begun:10 10 begun:1 1");
});

Deno.test("a refusal on a new connection is tried again as it says; an unknown stream has ended", async () => {
  const stage = new Stage();
  await stage.follow();
  stage.following.connected("s1");
  const data = { retry_after_ms: 9_000 };
  (await stage.link.next()).refuse(new MeshError("rate_limited", "wait", { data }));
  for (let turn = 0; turn < 20; turn++) await null;
  assert.deepEqual(stage.clock.waits, [9_000]);
  stage.clock.pass(9_000);
  (await stage.link.next()).refuse(new MeshError("not_found", "no stream"));
  for (let turn = 0; turn < 20; turn++) await null;
  assert.equal(stage.told, "begun:1 ended");
  stage.following.connected("s1");
  await assert.rejects(stage.link.next());
});

Deno.test("a first subscription that fails leaves nothing behind", async () => {
  const stage = new Stage();
  const following = stage.following.follow("s1", "s");
  (await stage.link.next()).refuse(new MeshError("not_found", "no stream"));
  await assert.rejects(following, { code: "not_found" });
  stage.following.connected("s1");
  await assert.rejects(stage.link.next());
  await assert.rejects(stage.following.follow("gone", "s"), { code: "offline" });
});

Deno.test("a subscription that is ended before its answer ends at the broker too", async () => {
  const stage = new Stage();
  const following = stage.following.follow("s1", "s");
  const beginning = await stage.link.next();
  stage.following.drop("s1");
  beginning.answer(position(1));
  await assert.rejects(following, { code: "conflict" });
  assert.deepEqual(stage.link.posts, ["unsubscribe"]);
  stage.event(1);
  assert.equal(stage.told, "");
});

Deno.test("frames that are no events of streams, and broken ones, are told to nobody", async () => {
  const stage = new Stage();
  await stage.follow();
  assert.equal(stage.following.take("s1", { type: "state_change" }), false);
  for (const seq of [0, 1.5, "1", null]) {
    assert.equal(stage.following.take("s1", { type: "stream_data", stream: "s", seq }), true);
  }
  assert.equal(stage.following.take("s1", { type: "stream_gap", stream: "s", from: 1 }), true);
  assert.equal(stage.told, "begun:1");
});
