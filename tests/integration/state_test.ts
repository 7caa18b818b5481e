/** The shared state of a mesh: what it keeps, who may see and change it, and who is told. */
import assert from "node:assert/strict";
import { brokerTest } from "../support/broker.ts";
import type { Frame } from "../support/peer.ts";

function entryOf(frame: Frame): unknown[] {
  return [frame.key, frame.value, frame.updatedBy];
}

brokerTest("a key that one peer sets is read, listed and heard of by another", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const a = await broker.join(ada!);
  const b = await broker.join(bob!);
  const set = await a.request("set_state", { key: "sprint", value: { number: 14 } });
  assert.deepEqual([set.type, ...entryOf(set)], ["state_set", "sprint", { number: 14 }, "Ada"]);
  const change = await b.nextOf("state_change");
  assert.deepEqual(entryOf(change), ["sprint", { number: 14 }, "Ada"]);
  assert.equal(change.revision, set.revision);
  assert.deepEqual(entryOf(await b.request("get_state", { key: "sprint" })), entryOf(set));
  const { entries } = await b.request("list_state") as unknown as { entries: Frame[] };
  assert.deepEqual(entries.map(entryOf), [entryOf(set)]);
});

brokerTest("a key that is not set reads as null, without author and time", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const { _reqId, ...answer } = await (await broker.join(ada!)).request("get_state", { key: "x" });
  assert.deepEqual(answer, {
    type: "state_result",
    key: "x",
    value: null,
    revision: 0,
    updatedBy: "",
    updatedAt: "",
  });
});

brokerTest("of many who compare and set at once, one wins", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peers = [await broker.join(ada!), await broker.join(bob!)];
  const claims = await Promise.all(
    peers.flatMap((peer) =>
      [1, 2, 3, 4].map((value) => peer.request("set_state", { key: "lock", value, ifRevision: 0 }))
    ),
  );
  const winners = claims.filter(({ type }) => type === "state_set");
  assert.equal(winners.length, 1);
  for (const lost of claims.filter(({ type }) => type === "error")) {
    assert.deepEqual([lost.code, lost.revision], ["conflict", winners[0]!.revision]);
  }
  const next = await peers[1]!.request("set_state", {
    key: "lock",
    value: "next",
    ifRevision: winners[0]!.revision,
  });
  assert.equal(next.type, "state_set");
  assert.ok((next.revision as number) > (winners[0]!.revision as number));
});

brokerTest("a deleted key is gone, and its old revision never matches again", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const a = await broker.join(ada!);
  const b = await broker.join(bob!);
  const first = await a.request("set_state", { key: "k", value: 1 });
  const gone = await a.request("delete_state", { key: "k", ifRevision: first.revision });
  assert.deepEqual([gone.type, gone.key, gone.revision], ["state_deleted", "k", first.revision]);
  await b.nextOf("state_change");
  const told = await b.nextOf("state_change");
  assert.deepEqual([told.value, told.deleted, told.updatedBy], [null, true, "Ada"]);
  assert.equal((await b.request("delete_state", { key: "k" })).code, "not_found");
  const again = await a.request("set_state", { key: "k", value: 1 });
  assert.notEqual(again.revision, first.revision);
});

brokerTest("grants of a key's owner decide who sees and changes it", async (broker) => {
  const [owner, ada, bob] = await broker.mesh("Owner", "Ada", "Bob");
  const o = await broker.join(owner!);
  const a = await broker.join(ada!);
  const b = await broker.join(bob!);
  await a.request("set_state", { key: "shared", value: 1 });
  assert.equal((await b.request("set_state", { key: "shared", value: 2 })).type, "state_set");
  const grants = (list: string[]) =>
    a.request("set_grants", { grants: { [bob!.keys.publicKey]: list } });
  await grants(["read", "dm", "broadcast", "state-read"]);
  assert.equal((await b.request("set_state", { key: "shared", value: 3 })).code, "forbidden");
  assert.equal((await b.request("delete_state", { key: "shared" })).code, "forbidden");
  assert.equal((await b.request("get_state", { key: "shared" })).value, 2);
  await grants(["read", "dm"]);
  b.frames.length = 0;
  await a.request("set_state", { key: "shared", value: 4 });
  assert.equal((await b.request("get_state", { key: "shared" })).revision, 0);
  assert.deepEqual((await b.request("list_state")).entries, []);
  assert.equal((await b.request("delete_state", { key: "shared" })).code, "not_found");
  assert.deepEqual(b.frames.filter(({ type }) => type === "state_change"), []);
  assert.equal((await o.request("set_state", { key: "shared", value: 5 })).type, "state_set");
});

brokerTest("a list is cut into pages, and a prefix selects", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  for (const key of ["a/1", "a/2", "a/3", "a%", "b"]) {
    await a.request("set_state", { key, value: key });
  }
  const keys = (frame: Frame) => (frame.entries as Frame[]).map(({ key }) => key);
  assert.deepEqual(keys(await a.request("list_state")), ["a%", "a/1", "a/2", "a/3", "b"]);
  const page = await a.request("list_state", { prefix: "a/", limit: 2 });
  assert.deepEqual([keys(page), page.next], [["a/1", "a/2"], "a/2"]);
  const rest = await a.request("list_state", { prefix: "a/", limit: 2, after: page.next });
  assert.deepEqual([keys(rest), rest.next], [["a/3"], undefined]);
  const large = "x".repeat(60_000);
  for (const key of Array.from({ length: 12 }, (_, n) => `l${n}`)) {
    await a.request("set_state", { key, value: large });
  }
  const cut = await a.request("list_state", { prefix: "l" });
  assert.equal(keys(cut).length, 8);
  assert.equal(cut.next, keys(cut).at(-1));
});

brokerTest("a value at its limit is taken, and one byte more refused", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  const limit = broker.context.settings.limits.stateValueBytes;
  const fits = await a.request("set_state", { key: "k", value: "x".repeat(limit - 2) });
  assert.equal(fits.type, "state_set");
  const over = await a.request("set_state", { key: "k", value: "x".repeat(limit - 1) });
  assert.deepEqual([over.code, over.limit], ["too_large", limit]);
});

brokerTest(
  "a mesh has so many keys and no more, and a set key can still change",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    for (const key of ["a", "b"]) await a.request("set_state", { key, value: 1 });
    const over = await a.request("set_state", { key: "c", value: 1 });
    assert.deepEqual([over.code, over.limit], ["limit", 2]);
    assert.equal((await a.request("set_state", { key: "a", value: 2 })).type, "state_set");
  },
  { limits: { stateKeys: 2 } },
);

brokerTest(
  "a key of the broker's own, or one with control characters, is refused",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    for (const key of ["_context:Ada", "a\nb", "", "k".repeat(257)]) {
      const answer = await a.request("set_state", { key, value: 1 });
      assert.equal(answer.code, "invalid_argument", key);
    }
    assert.equal((await a.request("set_state", { key: "k" })).code, "invalid_argument");
  },
);

brokerTest("another mesh neither sees nor hears, and a restart keeps all", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const a = await broker.join(ada!);
  const e = await broker.join(eve!);
  const set = await a.request("set_state", { key: "k", value: [1, "two", null] });
  assert.equal((await e.request("get_state", { key: "k" })).revision, 0);
  assert.deepEqual((await e.request("list_state")).entries, []);
  assert.deepEqual(e.frames.filter(({ type }) => type === "state_change"), []);
  await broker.restart();
  const after = await (await broker.join(ada!)).request("get_state", { key: "k" });
  assert.deepEqual([after.value, after.revision], [[1, "two", null], set.revision]);
});
