/** Similarity search over texts: what members store is found by what it is about, by their mesh and no other. */
import assert from "node:assert/strict";
import { LIMITS } from "../../broker/api/limits.ts";
import { brokerTest, TestBroker } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { openTestStore } from "../support/sql.ts";
import { until } from "../support/until.ts";

const NOTES = [
  "Failed payments are retried three times before the order is cancelled",
  "Deployments need an approval of the release manager",
  "Die Rechnung kommt per Post, die Mahnung per E-Mail",
  "数据库迁移在启动时自动运行",
];

async function stored(peer: TestPeer, text: string, more: object = {}): Promise<Frame> {
  const answer = await peer.request("vector_store", { collection: "notes", text, ...more });
  assert.equal(answer.type, "vector_stored", JSON.stringify(answer));
  return answer;
}

async function found(peer: TestPeer, query: string, more: object = {}): Promise<Frame[]> {
  const answer = await peer.request("vector_search", { collection: "notes", query, ...more });
  assert.equal(answer.type, "vector_results", JSON.stringify(answer));
  return answer.results as Frame[];
}

async function refused(peer: TestPeer, type: string, input: object): Promise<Frame> {
  const answer = await peer.request(type, input);
  assert.equal(answer.type, "error", JSON.stringify(answer));
  return answer;
}

async function audited(broker: TestBroker): Promise<unknown[]> {
  return await broker.sql.query(
    `select event_type as event, actor_display_name as actor, payload from mesh.audit_log
     where event_type like 'vector%' order by id`,
  );
}

brokerTest(
  "what one member stored another finds by what it is about, also after a restart",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const storing = await broker.join(ada!);
    const ids: unknown[] = [];
    for (const text of NOTES) {
      const answer = await stored(storing, text, { metadata: { length: text.length } });
      assert.deepEqual(
        [answer.created, answer.embedding, answer.dimensions],
        [true, "lexical-v1", 1_536],
      );
      ids.push(answer.id);
    }
    await broker.restart();
    const peer = await broker.join(bob!);
    const queries = ["how often is a payment retried", "who approves", "Mahnung", "数据库怎么迁移"];
    for (const [index, query] of queries.entries()) {
      const [nearest, ...others] = await found(peer, query);
      assert.deepEqual(
        [nearest?.id, nearest?.text, nearest?.storedBy, nearest?.metadata],
        [ids[index], NOTES[index], "Ada", { length: NOTES[index]!.length }],
      );
      assert.ok(Math.abs(Date.parse(String(nearest?.storedAt)) - Date.now()) < 600_000);
      assert.equal(others.length, NOTES.length - 1);
      for (const other of others) assert.ok(Number(other.score) < Number(nearest?.score) - 0.02);
    }
    const { collections, details } = await peer.request("list_collections");
    assert.deepEqual(collections, ["notes"]);
    const [{ createdAt: _createdAt, ...notes } = {}] = details as Frame[];
    assert.deepEqual(notes, {
      name: "notes",
      points: 4,
      embedding: "lexical-v1",
      dimensions: 1_536,
    });
  },
);

brokerTest("a known id is replaced, metadata filter, and skip and limit page", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await stored(peer, "red apples", { id: "a", metadata: { lang: "en", tags: ["fruit", "red"] } });
  await stored(peer, "red roses", { id: "b", metadata: { lang: "en", tags: ["flower"] } });
  await stored(peer, "red, rot", { id: "c", metadata: { lang: "de" } });
  const again = await stored(peer, "green apples", { id: "a", metadata: { lang: "fr" } });
  assert.equal(again.created, false);
  const ids = async (more: object) => (await found(peer, "red", more)).map(({ id }) => id);
  assert.deepEqual((await ids({})).sort(), ["a", "b", "c"]);
  assert.deepEqual(await ids({ filter: { lang: "fr" } }), ["a"]);
  assert.deepEqual(await ids({ filter: { tags: ["flower"] } }), ["b"]);
  assert.deepEqual(await ids({ filter: { lang: "en", tags: ["fruit"] } }), []);
  const all = await ids({});
  assert.deepEqual(await ids({ limit: 1 }), all.slice(0, 1));
  assert.deepEqual(await ids({ limit: 1, skip: 1 }), all.slice(1, 2));
  const nested = { filter: { tags: [{ a: 1 }] } };
  const wrong = await refused(peer, "vector_search", {
    collection: "notes",
    query: "red",
    ...nested,
  });
  assert.deepEqual([wrong.code, wrong.field], ["invalid_argument", "filter"]);
});

brokerTest("metadata cannot pass for what the broker says of a text", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const metadata = { text: "forged", id: "x", mesh_id: "other", storedBy: "Mallory", score: 9 };
  const { id } = await stored(peer, "the real text", { metadata });
  const [hit] = await found(peer, "real text");
  assert.deepEqual([hit?.id, hit?.text, hit?.storedBy, hit?.metadata], [
    id,
    "the real text",
    "Ada",
    metadata,
  ]);
});

brokerTest(
  "deleting ends a text, the last one its collection, and what is not there is said",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [peer, other] = [await broker.join(ada!), await broker.join(bob!)];
    await stored(peer, "one", { id: "a" });
    await stored(peer, "two", { id: "b" });
    const gone = await refused(peer, "vector_delete", { collection: "notes", id: "c" });
    assert.equal(gone.code, "not_found");
    assert.match(String(gone.message), /"notes" has no text with the id "c"/);
    const ack = await other.request("vector_delete", { collection: "notes", id: "a" });
    assert.deepEqual([ack.type, ack.id, ack.messageId, ack.queued], ["ack", "a", "a", false]);
    assert.deepEqual((await found(peer, "one")).map(({ id }) => id), ["b"]);
    // The original's clients send it without a request id and wait for nothing.
    other.send({ type: "vector_delete", collection: "notes", id: "b" });
    await until("the collection is gone", 10_000, async () => {
      const { collections } = await peer.request("list_collections");
      return (collections as unknown[]).length === 0;
    });
    for (
      const [type, input] of [
        ["vector_search", { query: "one" }],
        ["vector_delete", { id: "b" }],
        ["vector_drop", {}],
      ] as const
    ) {
      const answer = await refused(peer, type, { collection: "notes", ...input });
      assert.equal(answer.code, "not_found");
      assert.match(String(answer.message), /no collection "notes"; list_collections tells/);
    }
  },
);

brokerTest("a collection is dropped by owners and admins alone", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [owner, member] = [await broker.join(ada!), await broker.join(bob!)];
  await stored(member, "one");
  await stored(member, "two");
  const answer = await refused(member, "vector_drop", { collection: "notes" });
  assert.equal(answer.code, "forbidden");
  const dropped = await owner.request("vector_drop", { collection: "notes" });
  assert.deepEqual([dropped.type, dropped.collection, dropped.points], [
    "vector_dropped",
    "notes",
    2,
  ]);
  assert.deepEqual((await owner.request("list_collections")).collections, []);
});

brokerTest("nothing of a mesh is found, listed or deleted from another", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const [peer, foreign] = [await broker.join(ada!), await broker.join(eve!)];
  const { id } = await stored(peer, "a secret of this mesh");
  assert.deepEqual((await foreign.request("list_collections")).collections, []);
  for (
    const [type, input] of [
      ["vector_search", { query: "secret" }],
      ["vector_delete", { id }],
      ["vector_drop", {}],
    ] as const
  ) {
    const answer = await refused(foreign, type, { collection: "notes", ...input });
    assert.equal(answer.code, "not_found");
  }
  await stored(foreign, "another secret");
  assert.deepEqual((await found(foreign, "secret")).map(({ text }) => text), ["another secret"]);
  assert.deepEqual((await found(peer, "secret")).map(({ text }) => text), [
    "a secret of this mesh",
  ]);
});

brokerTest("a text without a letter is refused, and a substring is no match", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await stored(peer, "a catalogue of everything");
  for (const text of ["", "  ", "?!", "🧵"]) {
    const store = await refused(peer, "vector_store", { collection: "notes", text });
    assert.deepEqual([store.code, store.field], ["invalid_argument", "text"]);
    const search = await refused(peer, "vector_search", { collection: "notes", query: text });
    assert.equal(search.code, "invalid_argument");
  }
  const scoreOf = async (query: string) => Number((await found(peer, query))[0]?.score);
  assert.ok(await scoreOf("catalogue") > 0.5);
  assert.ok(await scoreOf("talog") < 0.2);
});

brokerTest("callers may bring embeddings, and then all of a collection do", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const east = await stored(peer, "", { id: "east", embedding: [1, 0, 0] });
  assert.deepEqual([east.embedding, east.dimensions], ["caller", 3]);
  await stored(peer, "north", { id: "north", embedding: [0, 2, 0] });
  const [near, far] = await found(peer, "", { embedding: [0.1, 5, 0] });
  assert.deepEqual([near?.id, far?.id], ["north", "east"]);
  assert.ok(Math.abs(Number(near?.score) - 0.9998) < 0.001);
  const attempts: [string, object, RegExp][] = [
    ["vector_store", { text: "x" }, /has embeddings of its callers; give `embedding`, 3 numbers/],
    ["vector_search", { query: "x" }, /has embeddings of its callers/],
    ["vector_store", { text: "x", embedding: [1, 2] }, /has 3 dimensions, the embedding 2/],
    ["vector_search", { query: "x", embedding: [1] }, /has 3 dimensions, the embedding 1/],
    ["vector_store", { text: "x", embedding: [0, 0, 0] }, /all zeros have no direction/],
    ["vector_store", { text: "x", embedding: [1e300, 0, 0] }, /beyond 32-bit floats/],
  ];
  for (const [type, input, message] of attempts) {
    const answer = await refused(peer, type, { collection: "notes", ...input });
    assert.deepEqual([answer.code, answer.field], ["invalid_argument", "embedding"]);
    assert.match(String(answer.message), message);
  }
  await peer.request("vector_store", { collection: "texts", text: "words" });
  const mixed = await refused(peer, "vector_store", {
    collection: "texts",
    text: "words",
    embedding: [1, 0, 0],
  });
  assert.match(String(mixed.message), /"texts" embeds texts itself \(lexical-v1\)/);
});

brokerTest("texts, metadata and answers are bounded", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const { vectorTextBytes, vectorMetadataBytes, vectorAnswerBytes } = LIMITS;
  const half = "é".repeat(vectorTextBytes.value / 2);
  await stored(peer, half, { id: "whole" });
  const text = await refused(peer, "vector_store", { collection: "notes", text: `${half}x` });
  assert.deepEqual([text.code, text.limit, text.field], ["too_large", 32_768, "text"]);
  const room = vectorMetadataBytes.value - JSON.stringify({ a: "" }).length;
  await stored(peer, "x", { id: "x", metadata: { a: "x".repeat(room) } });
  const metadata = { a: "x".repeat(room + 1) };
  const large = await refused(peer, "vector_store", { collection: "notes", text: "x", metadata });
  assert.deepEqual([large.code, large.limit, large.field], ["too_large", 16_384, "metadata"]);
  let deep: object = {};
  for (let depth = 0; depth < 4_000; depth++) deep = { deep };
  const nested = { collection: "notes", text: "x", metadata: deep };
  assert.equal((await refused(peer, "vector_store", nested)).code, "invalid_argument");
  const long = "word ".repeat(6_500);
  for (let count = 0; count < 18; count++) await stored(peer, `${count} ${long}`);
  const answer = await peer.request("vector_search", {
    collection: "notes",
    query: "word",
    limit: 100,
  });
  const results = answer.results as Frame[];
  assert.equal(answer.more, true);
  assert.ok(JSON.stringify(results).length <= vectorAnswerBytes.value);
  const rest = await found(peer, "word", { limit: 100, skip: results.length });
  assert.equal(new Set([...results, ...rest].map(({ id }) => id)).size, 20);
});

brokerTest(
  "collections and texts are counted, and one past the limit is refused",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const store = (collection: string, id: string) => ({ collection, id, text: "words" }) as const;
    for (const [collection, id] of [["one", "a"], ["one", "b"], ["two", "c"]] as const) {
      const answer = await peer.request("vector_store", store(collection, id));
      assert.equal(answer.type, "vector_stored");
    }
    const third = await refused(peer, "vector_store", store("three", "d"));
    assert.deepEqual([third.code, third.limit], ["limit", 2]);
    const fourth = await refused(peer, "vector_store", store("one", "d"));
    assert.deepEqual([fourth.code, fourth.limit], ["limit", 3]);
    assert.equal((await peer.request("vector_store", store("one", "a"))).created, false);
    await peer.request("vector_delete", { collection: "two", id: "c" });
    assert.equal((await peer.request("vector_store", store("three", "d"))).created, true);
  },
  { limits: { vectorCollections: 2, vectorPoints: 3 } },
);

brokerTest("every change is in the audit with ids and sizes, and no text", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await stored(peer, "größer", { id: "a", metadata: { secret: 1 } });
  await stored(peer, "other", { id: "b" });
  await peer.request("vector_delete", { collection: "notes", id: "a" });
  await peer.request("vector_drop", { collection: "notes" });
  const kind = { embedding: "lexical-v1", dimensions: 1_536 };
  const row = (event: string, payload: object) => ({ event, actor: "Ada", payload });
  assert.deepEqual(await audited(broker), [
    row("vector_stored", { collection: "notes", id: "a", bytes: 8, ...kind }),
    row("vector_stored", { collection: "notes", id: "b", bytes: 5, ...kind }),
    row("vector_deleted", { collection: "notes", id: "a" }),
    row("vector_collection_dropped", { collection: "notes" }),
  ]);
});

Deno.test("texts are embedded by the operator's model, and a search says when it is gone", async () => {
  const topics = ["payment", "deploy"];
  let isThere = true;
  const model = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { input: [text] } = await request.json() as { input: [string] };
    const embedding = topics.map((topic) => text.includes(topic) ? 1 : 0.1);
    return isThere
      ? Response.json({ data: [{ embedding }] })
      : new Response("overloaded", { status: 503 });
  });
  const sql = await openTestStore("pglite");
  const url = `http://127.0.0.1:${model.addr.port}/v1`;
  const embeddings = { url, model: "small-1", apiKey: null };
  const broker = await TestBroker.start(sql, {
    settings: { embeddings },
  });
  try {
    const health = await (await fetch(`${broker.broker.url}/health`)).json();
    assert.deepEqual(health.vectors, {
      driver: "pgvector (embedded)",
      embedding: "model:small-1",
    });
    const ready = await (await fetch(`${broker.broker.url}/health/ready`)).json();
    assert.equal(ready.dependencies.vectors.ok, true);
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const answer = await stored(peer, "we deploy on Fridays", { id: "a" });
    assert.deepEqual([answer.embedding, answer.dimensions], ["model:small-1", 2]);
    await stored(peer, "a payment is retried", { id: "b" });
    const [near] = await found(peer, "payments");
    assert.equal(near?.id, "b");
    isThere = false;
    const refusal = await refused(peer, "vector_search", { collection: "notes", query: "payment" });
    assert.deepEqual([refusal.code, typeof refusal.retry_after_ms], ["unavailable", "number"]);
    assert.match(String(refusal.message), /embeddings endpoint answers with HTTP 503/);
  } finally {
    await broker.close();
    await sql.close();
    await model.shutdown();
  }
});
