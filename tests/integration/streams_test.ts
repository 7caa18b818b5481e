/** Streams: numbers, history, following, gaps, deletion, limits, on both SQL drivers. */
import assert from "node:assert/strict";
import { brokerTest } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

/** The next `count` events of a stream that a peer gets. */
async function events(peer: TestPeer, stream: string, count: number): Promise<Frame[]> {
  const got: Frame[] = [];
  while (got.length < count) {
    got.push(await peer.next((frame) => frame.type === "stream_data" && frame.stream === stream));
  }
  return got;
}

async function publish(peer: TestPeer, stream: string, ...items: unknown[]): Promise<number[]> {
  const seqs: number[] = [];
  for (const data of items) {
    const answer = await peer.request("publish", { stream, data });
    assert.equal(answer.type, "published", JSON.stringify(answer));
    seqs.push(answer.seq as number);
  }
  return seqs;
}

function numbers(frames: readonly Frame[]): unknown[] {
  return frames.map((frame) => frame.seq);
}

brokerTest(
  "what is published reaches subscribers with its number, not its publisher",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    const created = await a.request("create_stream", { name: "builds" });
    assert.deepEqual([created.type, created.created], ["stream_created", true]);
    for (const peer of [a, b]) {
      const { type, from, lastSeq, gap } = await peer.request("subscribe", { stream: "builds" });
      assert.deepEqual([type, from, lastSeq, gap], ["subscribed", 1, 0, null]);
    }
    assert.deepEqual(await publish(a, "builds", { ok: true }, null, [1, "ü"]), [1, 2, 3]);
    const got = await events(b, "builds", 3);
    assert.deepEqual(got.map(({ seq, data }) => [seq, data]), [
      [1, { ok: true }],
      [2, null],
      [3, [1, "ü"]],
    ]);
    assert.equal(got[0]!.publishedBy, "Ada");
    assert.equal(got[0]!.publishedByKey, ada!.keys.publicKey);
    await a.settled();
    assert.ok(!a.frames.some((frame) => frame.type === "stream_data"));
  },
);

brokerTest(
  "a stream that exists is left as it is; publishing makes one that does not",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    const first = await a.request("create_stream", { name: "logs" });
    const again = await a.request("create_stream", { name: "logs" });
    assert.deepEqual([again.id, again.created], [first.id, false]);
    const made = await a.request("publish", { stream: "news", data: 1 });
    assert.deepEqual([made.seq, made.created], [1, true]);
    const more = await a.request("publish", { stream: "news", data: 2 });
    assert.deepEqual([more.seq, more.created], [2, false]);
    const { streams } = await a.request("list_streams");
    const listed = (streams as Frame[]).map(({ name, firstSeq, lastSeq, createdBy }) => [
      name,
      firstSeq,
      lastSeq,
      createdBy,
    ]);
    assert.deepEqual(listed, [["logs", 1, 0, "Ada"], ["news", 1, 2, "Ada"]]);
  },
);

brokerTest(
  "a name that is none, and a stream that is not there, are refused by name",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    for (const name of ["", "two words", "-x", "x".repeat(65)]) {
      const refused = await a.request("create_stream", { name });
      assert.equal(refused.code, "invalid_argument", name);
    }
    for (const type of ["subscribe", "stream_history", "delete_stream"]) {
      const refused = await a.request(type, { stream: "nowhere" });
      assert.equal(refused.code, "not_found", type);
      assert.match(String(refused.message), /"nowhere".*create_stream/);
    }
    const { subscribed } = await a.request("unsubscribe", { stream: "nowhere" });
    assert.equal(subscribed, false);
  },
);

brokerTest(
  "from begins with what is kept, in order, and goes on with what comes",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    await publish(a, "builds", ..."abcde");
    const { from, lastSeq } = await b.request("subscribe", { stream: "builds", from: 3 });
    assert.deepEqual([from, lastSeq], [3, 5]);
    await publish(a, "builds", "f");
    assert.deepEqual(numbers(await events(b, "builds", 4)), [3, 4, 5, 6]);
    // Again: from the beginning, then not at all.
    await b.request("subscribe", { stream: "builds", from: 1 });
    assert.deepEqual(numbers(await events(b, "builds", 6)), [1, 2, 3, 4, 5, 6]);
    assert.equal((await b.request("unsubscribe", { stream: "builds" })).subscribed, true);
    await publish(a, "builds", "g");
    await b.settled();
    assert.deepEqual(b.frames.filter((frame) => frame.type === "stream_data"), []);
  },
);

brokerTest("a number beyond the newest means what comes next", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  await publish(a, "builds", 1);
  assert.equal((await b.request("subscribe", { stream: "builds", from: 99 })).from, 2);
  await publish(a, "builds", 2);
  assert.deepEqual(numbers(await events(b, "builds", 1)), [2]);
});

brokerTest("only the newest events are kept, and what is gone is told as a gap", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [a, b] = [await broker.join(ada!), await broker.join(bob!)];
  await publish(a, "builds", 1, 2, 3, 4, 5);
  const answer = await b.request("subscribe", { stream: "builds", from: 1 });
  assert.deepEqual([answer.from, answer.gap], [3, { from: 1, to: 2 }]);
  assert.deepEqual(numbers(await events(b, "builds", 3)), [3, 4, 5]);
  const history = await b.request("stream_history", { stream: "builds", from: 1 });
  assert.deepEqual(
    [history.firstSeq, history.lastSeq, history.next, numbers(history.events as Frame[])],
    [3, 5, null, [3, 4, 5]],
  );
}, { limits: { streamKeptEvents: 3 } });

brokerTest(
  "history is read in pages, the newest first when nothing else is asked",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    await publish(a, "builds", ...Array.from({ length: 7 }, (_, index) => index + 1));
    const read = async (input: object) => {
      const { events, next } = await a.request("stream_history", { stream: "builds", ...input });
      return [numbers(events as Frame[]), next];
    };
    assert.deepEqual(await read({ limit: 2 }), [[6, 7], null]);
    assert.deepEqual(await read({ from: 1, limit: 3 }), [[1, 2, 3], 4]);
    assert.deepEqual(await read({ from: 4, limit: 200 }), [[4, 5, 6, 7], null]);
    assert.deepEqual(await read({ from: 50 }), [[], null]);
  },
);

brokerTest(
  "a page of history is cut by its bytes, too, and says where to read on",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    const big = "x".repeat(65_000);
    await publish(a, "big", ...Array.from({ length: 10 }, () => big));
    const seen: unknown[] = [];
    let from: number | null = 1;
    let pages = 0;
    while (from !== null) {
      const page: Frame = await a.request("stream_history", { stream: "big", from });
      seen.push(...numbers(page.events as Frame[]));
      from = page.next as number | null;
      pages += 1;
    }
    assert.deepEqual(seen, Array.from({ length: 10 }, (_, index) => index + 1));
    assert.equal(pages, 2);
  },
);

brokerTest(
  "several publishers at once: every subscriber gets every event once, in one order",
  async (broker) => {
    const names = ["Ada", "Bob", "Cem", "Dia", "Eve"];
    const members = await broker.mesh(...names);
    const peers = await Promise.all(members.map((member) => broker.join(member)));
    const [first, ...others] = peers;
    await first!.request("create_stream", { name: "busy" });
    const watchers = await Promise.all(
      members.slice(0, 2).map(async (member) => {
        const watcher = await broker.join(member, { sessionId: `watcher-${member.id}` });
        await watcher.request("subscribe", { stream: "busy" });
        return watcher;
      }),
    );
    const each = 40;
    const total = peers.length * each;
    const lists = await Promise.all(
      [first!, ...others].map((peer, who) =>
        publish(peer, "busy", ...Array.from({ length: each }, (_, index) => [who, index]))
      ),
    );
    const given = lists.flat().sort((left, right) => left - right);
    assert.deepEqual(given, Array.from({ length: total }, (_, index) => index + 1));
    const seen = await Promise.all(watchers.map((watcher) => events(watcher, "busy", total)));
    for (const frames of seen) {
      assert.deepEqual(numbers(frames), given);
      for (const [who, list] of lists.entries()) {
        const own = frames.filter((frame) => (frame.data as number[])[0] === who);
        assert.deepEqual(numbers(own), list);
        assert.deepEqual(own.map((frame) => (frame.data as number[])[1]), [...list.keys()]);
      }
    }
    assert.deepEqual(seen[0]!.map(({ data }) => data), seen[1]!.map(({ data }) => data));
  },
  { limits: { streamPublishBurst: 1_000 } },
);

brokerTest(
  "a restart of the broker neither loses nor doubles an event for who asks on",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    let [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    await publish(a, "builds", 1, 2);
    await b.request("subscribe", { stream: "builds", from: 1 });
    const last = (await events(b, "builds", 2)).at(-1)!.seq as number;
    await broker.restart();
    [a, b] = [await broker.join(ada!), await broker.join(bob!)];
    assert.deepEqual(await publish(a, "builds", 3), [3]);
    await b.request("subscribe", { stream: "builds", from: last + 1 });
    assert.deepEqual(await publish(a, "builds", 4), [4]);
    assert.deepEqual(numbers(await events(b, "builds", 2)), [3, 4]);
    await b.settled();
    assert.deepEqual(b.frames.filter((frame) => frame.type === "stream_data"), []);
  },
);

brokerTest(
  "a subscriber that does not read is not cut, delays nobody, and gets everything later",
  async (broker) => {
    const members = await broker.mesh("Ada", "Bob", "Cem");
    const [a, slow, quick] = await Promise.all(members.map((member) => broker.join(member)));
    await a!.request("create_stream", { name: "big" });
    for (const peer of [slow!, quick!]) await peer.request("subscribe", { stream: "big" });
    slow!.ws.pause();
    const big = "x".repeat(60_000);
    const count = 250;
    const seqs = await publish(a!, "big", ...Array.from({ length: count }, () => big));
    assert.deepEqual(numbers(await events(quick!, "big", count)), seqs);
    slow!.ws.resume();
    assert.deepEqual(numbers(await events(slow!, "big", count)), seqs);
    await slow!.settled();
  },
  { limits: { streamPublishBurst: 1_000 } },
);

brokerTest(
  "who made a stream may delete it, admins may, others not; subscribers are told",
  async (broker) => {
    const [owner, ada, bob] = await broker.mesh("Owner", "Ada", "Bob");
    const [o, a, b] = await Promise.all([owner!, ada!, bob!].map((each) => broker.join(each)));
    await publish(a!, "hers", 1);
    await b!.request("subscribe", { stream: "hers" });
    const refused = await b!.request("delete_stream", { stream: "hers" });
    assert.equal(refused.code, "forbidden");
    assert.match(String(refused.message), /Ada/);
    const { type, id } = await a!.request("delete_stream", { stream: "hers" });
    assert.equal(type, "stream_removed");
    const ended = await b!.nextOf("stream_ended");
    assert.deepEqual([ended.stream, ended.id], ["hers", id]);
    await publish(a!, "hers", "a new one");
    await b!.settled();
    assert.ok(!b!.frames.some((frame) => frame.type === "stream_data"));
    assert.equal((await o!.request("delete_stream", { stream: "hers" })).type, "stream_removed");
    assert.deepEqual((await o!.request("list_streams")).streams, []);
  },
);

brokerTest(
  "another mesh sees nothing of a stream, though it has one of the same name",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const [eve] = await broker.mesh("Eve");
    const [a, e] = [await broker.join(ada!), await broker.join(eve!)];
    await publish(a, "builds", "secret");
    assert.equal((await e.request("subscribe", { stream: "builds" })).code, "not_found");
    assert.deepEqual((await e.request("list_streams")).streams, []);
    assert.deepEqual(await publish(e, "builds", "own"), [1]);
    await e.request("subscribe", { stream: "builds", from: 1 });
    await publish(a, "builds", "secret too");
    const history = await e.request("stream_history", { stream: "builds" });
    assert.deepEqual((history.events as Frame[]).map(({ data }) => data), ["own"]);
    assert.ok(!e.frames.some((frame) => JSON.stringify(frame).includes("secret")));
  },
);

brokerTest("an event is taken at its limit of bytes and refused one past it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  await publish(a, "big", "é".repeat(49));
  const refused = await a.request("publish", { stream: "big", data: `${"é".repeat(49)}x` });
  assert.deepEqual([refused.code, refused.limit], ["too_large", 100]);
}, { limits: { streamEventBytes: 100 } });

brokerTest("streams are made up to their limit, by publishing too", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  await publish(a, "one", 1);
  await a.request("create_stream", { name: "two" });
  for (
    const refused of [
      await a.request("create_stream", { name: "three" }),
      await a.request("publish", { stream: "three", data: 1 }),
    ]
  ) assert.deepEqual([refused.code, refused.limit], ["limit", 2]);
  assert.deepEqual(await publish(a, "one", 2), [2]);
  await a.request("delete_stream", { stream: "two" });
  assert.deepEqual(await publish(a, "three", 1), [1]);
}, { limits: { streamsPerMesh: 2 } });

brokerTest(
  "a stream has subscribers up to its limit, and room again when one is gone",
  async (broker) => {
    const members = await broker.mesh("Ada", "Bob", "Cem");
    const [a, b, c] = await Promise.all(members.map((member) => broker.join(member)));
    await publish(a!, "builds", 1);
    for (const peer of [a!, b!, b!]) {
      assert.equal((await peer.request("subscribe", { stream: "builds" })).type, "subscribed");
    }
    const refused = await c!.request("subscribe", { stream: "builds" });
    assert.deepEqual([refused.code, refused.limit], ["limit", 2]);
    const [listed] = (await a!.request("list_streams")).streams as Frame[];
    assert.deepEqual([listed!.subscriberCount, listed!.subscribed], [2, true]);
    await b!.close();
    assert.equal((await c!.request("subscribe", { stream: "builds" })).type, "subscribed");
  },
  { limits: { streamSubscribers: 2 } },
);

brokerTest("the event after the burst is refused with when to come again", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  await publish(a, "builds", 1, 2);
  const refused = await a.request("publish", { stream: "builds", data: 3 });
  assert.equal(refused.code, "rate_limited");
  assert.ok(Number(refused.retry_after_ms) > 0);
}, { limits: { streamPublishesPerMinute: 1, streamPublishBurst: 2 } });

brokerTest(
  "the audit names streams, numbers and sizes, never what was published",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    const { id } = await a.request("create_stream", { name: "builds" });
    await publish(a, "builds", "secret");
    await a.request("delete_stream", { stream: "builds" });
    const rows = await broker.sql.query<{ event: string; payload: Frame }>(
      `select event_type as event, payload from mesh.audit_log
      where mesh_id = $1 and event_type like 'stream%' order by id`,
      [ada!.meshId],
    );
    assert.deepEqual(rows.map((row) => row.event), [
      "stream_created",
      "stream_published",
      "stream_deleted",
    ]);
    assert.deepEqual(rows[1]!.payload, {
      streamId: id,
      events: 1,
      firstSeq: 1,
      lastSeq: 1,
      chars: 8,
    });
    assert.ok(!JSON.stringify(rows).includes("secret"));
  },
);
