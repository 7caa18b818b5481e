/**
 * Streams through the agent: who hears of what, and that a reconnect, a restart of the broker and a new agent neither
 * lose nor double an event.
 */
import assert from "node:assert/strict";
import { freePort } from "../../agent/verbs/demo/free_port.ts";
import type { LocalEvent } from "../../agent/core/local_types.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { gatherLocally, type LocalAgent, type TestClient } from "../support/local_agent.ts";
import { openTestStore, truncateAll } from "../support/sql.ts";
import { until } from "../support/until.ts";

let store: Sql;
Deno.test.beforeAll(async () => {
  store = await openTestStore("pglite");
});
Deno.test.afterAll(async () => {
  await store.close();
});

const PATIENCE_MS = 20_000;
const SESSION = { sessionId: "s1", pid: 100, cwd: "/tmp/project" };

type News = Extract<LocalEvent, { kind: "stream" }>["news"];

/** Ada and Bob in one mesh, at a broker that keeps its address when it restarts. */
async function withPair(
  run: (broker: TestBroker, ada: LocalAgent, bob: LocalAgent) => Promise<void>,
): Promise<void> {
  await truncateAll(store);
  const port = await freePort();
  const broker = await TestBroker.start(store, {
    settings: { port },
    limits: { streamPublishBurst: 1_000, streamKeptEvents: 50 },
  });
  let agents: LocalAgent[] = [];
  try {
    agents = await gatherLocally(broker.broker.url, ["Ada", "Bob"]);
    await run(broker, agents[0]!, agents[1]!);
  } finally {
    for (const agent of agents) await agent.close();
    await broker.close();
  }
}

function newsOf(client: TestClient): News[] {
  return client.events.flatMap((event) => event.kind === "stream" ? [event.news] : []);
}

/** Numbers of the events that a client heard, and gaps as pairs. */
function heard(client: TestClient): (number | [number, number])[] {
  return newsOf(client).flatMap((news): (number | [number, number])[] => {
    if (news.kind === "event") return [news.seq];
    return news.kind === "gap" ? [[news.from, news.to]] : [];
  });
}

async function hears(client: TestClient, wanted: readonly (number | [number, number])[]) {
  await until(
    `the numbers ${JSON.stringify(wanted)}`,
    PATIENCE_MS,
    () => heard(client).length >= wanted.length,
    () => JSON.stringify(heard(client)),
  );
  assert.deepEqual(heard(client), wanted);
}

async function call(client: TestClient, wire: string, input: object, sessionId?: string) {
  const params = { wire, input: { ...input } };
  const { results } = await client.call(
    "call",
    sessionId === undefined ? params : { ...params, sessionId },
  );
  const [result] = results;
  assert.ok(result?.ok, JSON.stringify(result));
  return result.output;
}

async function publish(client: TestClient, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await call(client, "publish", { stream: "builds", data: { index } });
  }
}

/** Publishes once the agent reaches the broker again. */
async function publishWhenBack(client: TestClient): Promise<void> {
  await until("the broker is back", PATIENCE_MS, async () => {
    const input = { stream: "builds", data: "back" };
    const { results } = await client.call("call", { wire: "publish", input });
    return results[0]?.ok;
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

Deno.test("a session that subscribed hears a stream, other clients of its agent do not", () =>
  withPair(async (_, ada, bob) => {
    const [a, b, other] = [await ada.connect(), await bob.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await other.call("session.attach", { ...SESSION, sessionId: "s2" });
    await other.call("messages.watch", {});
    await publish(a, 2);
    const { from } = await call(b, "subscribe", { stream: "builds", from: 1 }, "s1");
    assert.equal(from, 1);
    await publish(a, 2);
    await hears(b, [1, 2, 3, 4]);
    const [, first] = newsOf(b);
    assert.ok(first?.kind === "event");
    assert.deepEqual([first.data, first.publishedBy, first.stream], [
      { index: 0 },
      "Ada",
      "builds",
    ]);
    assert.deepEqual(newsOf(other), []);
    await call(b, "unsubscribe", { stream: "builds" }, "s1");
    await publish(a, 1);
    await call(b, "list_streams", {}, "s1");
    assert.deepEqual(heard(b), [1, 2, 3, 4]);
  }));

Deno.test("a session goes back to an older number, live events on their way or not", () =>
  withPair(async (_, ada, bob) => {
    const [a, b] = [await ada.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await publish(a, 1);
    await call(b, "subscribe", { stream: "builds" }, "s1");
    const publishing = publish(a, 20);
    await call(b, "subscribe", { stream: "builds", from: 1 }, "s1");
    await publishing;
    await until("the last event", PATIENCE_MS, () => heard(b).at(-1) === 21);
    const news = newsOf(b);
    const again = news.findLastIndex((each) => each.kind === "begun");
    const after = news.slice(again + 1).map((each) => each.kind === "event" ? each.seq : each.kind);
    assert.deepEqual(after, range(1, 21));
  }));

Deno.test("a restart of the broker neither loses nor doubles an event", () =>
  withPair(async (broker, ada, bob) => {
    const [a, b] = [await ada.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await publish(a, 1);
    await call(b, "subscribe", { stream: "builds", from: 1 }, "s1");
    for (let round = 0; round < 3; round++) {
      await publish(a, 5);
      await broker.restart();
      await publishWhenBack(a);
    }
    const [listed] = (await call(a, "list_streams", {})).streams as { lastSeq: number }[];
    await hears(b, range(1, listed!.lastSeq));
  }));

Deno.test("what is gone when a session is back is told as a gap", () =>
  withPair(async (broker, ada, bob) => {
    const [a, b] = [await ada.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await publish(a, 1);
    await call(b, "subscribe", { stream: "builds", from: 1 }, "s1");
    await hears(b, [1]);
    await broker.broker.close();
    // Sixty events of somebody else, before the agents are back: fifty are kept.
    const [carl] = await store.query<{ id: string }>(
      "update mesh.stream set last_seq = 61 returning id",
    );
    await store.query("delete from mesh.stream_event");
    await store.query(
      `insert into mesh.stream_event (stream_id, seq, mesh_id, data, member_id, session_id,
         published_by_name, published_by_pubkey, published_at)
       select $1, seq, stream.mesh_id, '0', 'carl', 'carl', 'Carl', repeat('a', 64), now()
       from mesh.stream, generate_series(12, 61) as seq`,
      [carl!.id],
    );
    await broker.restart();
    await publishWhenBack(a);
    await until("the newest", PATIENCE_MS, () => heard(b).at(-1) === 62, () => `${heard(b)}`);
    const [first, ...others] = heard(b);
    const gaps = others.filter((each) => Array.isArray(each));
    const lost = gaps.flatMap(([from, to]) => range(from, to));
    // The oldest of them goes with the newest, which may come before the session, after it, or in the middle.
    assert.ok(first === 1 && (lost.length === 10 || lost.length === 11), `${heard(b)}`);
    assert.deepEqual(lost, range(2, 1 + lost.length));
    assert.deepEqual(others.slice(gaps.length), range(2 + lost.length, 62));
  }));

Deno.test("a stream deleted and made again while its follower was away is followed from its first event", () =>
  withPair(async (broker, ada, bob) => {
    const [a, b] = [await ada.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await publish(a, 3);
    await call(b, "subscribe", { stream: "builds", from: 1 }, "s1");
    await hears(b, [1, 2, 3]);
    await broker.broker.close();
    await store.query("delete from mesh.stream_event");
    await store.query("update mesh.stream set id = 'made-again', last_seq = 0");
    await broker.restart();
    await publishWhenBack(a);
    await publish(a, 1);
    await hears(b, [1, 2, 3, 1, 2]);
  }));

Deno.test("a deleted stream is told, and followed no more", () =>
  withPair(async (_, ada, bob) => {
    const [a, b] = [await ada.connect(), await bob.connect()];
    await b.call("session.attach", SESSION);
    await publish(a, 1);
    await call(b, "subscribe", { stream: "builds" }, "s1");
    await call(a, "delete_stream", { stream: "builds" });
    await b.event("the end", ({ kind, ...event }) =>
      kind === "stream" && (event as { news: News }).news.kind === "ended" ? true : null);
  }));

Deno.test("clients that watch share one subscription, which ends with the last of them", () =>
  withPair(async (_, ada, bob) => {
    const [a, b, c] = [await ada.connect(), await bob.connect(), await bob.connect()];
    await publish(a, 1);
    const count = async () => {
      const [listed] = (await call(a, "list_streams", {})).streams as { subscriberCount: number }[];
      return listed!.subscriberCount;
    };
    for (const client of [b, c]) {
      assert.equal((await client.call("stream.watch", { stream: "builds" })).from, 2);
    }
    assert.equal(await count(), 1);
    // The member's own events too: another shell of the same machine may publish.
    await publish(b, 1);
    await publish(a, 1);
    for (const client of [b, c]) await hears(client, [2, 3]);
    await b.client.close();
    await publish(a, 1);
    await hears(c, [2, 3, 4]);
    await c.client.close();
    await until("nobody follows", PATIENCE_MS, async () => await count() === 0);
  }));

Deno.test("an unknown stream is refused, and without a session nobody subscribes", () =>
  withPair(async (_, ada) => {
    const a = await ada.connect();
    await assert.rejects(a.call("stream.watch", { stream: "nowhere" }), { code: "not_found" });
    const { results } = await a.call("call", { wire: "subscribe", input: { stream: "builds" } });
    assert.match(JSON.stringify(results), /invalid_argument.*stream watch builds/);
  }));
