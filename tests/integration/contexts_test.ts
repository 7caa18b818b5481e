/** What sessions share about their work. */
import assert from "node:assert/strict";
import { brokerTest } from "../support/broker.ts";
import type { Frame } from "../support/peer.ts";

function contextsOf(frame: Frame): Frame[] {
  return frame.contexts as Frame[];
}

brokerTest(
  "a context is found by summary, finding, tag and file path, and told",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const a = await broker.join(ada!, { sessionId: "s1" });
    const b = await broker.join(bob!);
    const shared = await a.request("share_context", {
      summary: "Invoices are migrated",
      filesRead: ["db/100%_done.sql"],
      keyFindings: ["The index was missing"],
      tags: ["billing"],
    });
    assert.equal(shared.type, "context_shared");
    const told = await b.nextOf("state_change");
    assert.deepEqual([told.key, told.value], ["_context:Ada", "Invoices are migrated"]);
    for (const query of ["INVOICES", "index was", "billing", "100%_d"]) {
      const [found] = contextsOf(await b.request("get_context", { query }));
      assert.equal(found?.peerName, "Ada", query);
      assert.deepEqual(found?.filesRead, ["db/100%_done.sql"]);
    }
    assert.deepEqual(contextsOf(await b.request("get_context", { query: "100x" })), []);
    const [listed] = contextsOf(await b.request("list_contexts"));
    assert.deepEqual([listed?.summary, listed?.tags], ["Invoices are migrated", ["billing"]]);
  },
);

brokerTest(
  "a session has one context, stable over its reconnects and a restart",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!, { sessionId: "s1" });
    const first = await a.request("share_context", { summary: "one" });
    await a.close();
    await broker.restart();
    const back = await broker.join(ada!, { sessionId: "s1" });
    const second = await back.request("share_context", { summary: "two" });
    assert.equal(second.id, first.id);
    const other = await broker.join(ada!, { sessionId: "s2" });
    await other.request("share_context", { summary: "three" });
    const all = contextsOf(await other.request("list_contexts"));
    assert.deepEqual(all.map(({ summary }) => summary), ["three", "two"]);
  },
);

brokerTest("a member's oldest context makes room; another mesh sees none", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  for (const sessionId of ["s1", "s2", "s3"]) {
    const peer = await broker.join(ada!, { sessionId });
    await peer.request("share_context", { summary: sessionId });
    await peer.close();
  }
  const viewer = await broker.join(ada!, { sessionId: "s4" });
  const all = contextsOf(await viewer.request("list_contexts"));
  assert.deepEqual(all.map(({ summary }) => summary), ["s3", "s2"]);
  const page = contextsOf(await viewer.request("list_contexts", { limit: 1, offset: 1 }));
  assert.deepEqual(page.map(({ summary }) => summary), ["s2"]);
  const foreign = await broker.join(eve!);
  assert.deepEqual(contextsOf(await foreign.request("list_contexts")), []);
  assert.deepEqual(contextsOf(await foreign.request("get_context", { query: "s3" })), []);
}, { limits: { contextsPerMember: 2 } });

brokerTest("an empty summary, a long one and too many tags are refused", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const a = await broker.join(ada!);
  const tags = Array.from({ length: 33 }, (_, n) => `t${n}`);
  for (
    const input of [{}, { summary: "" }, { summary: "x".repeat(8_193) }, { summary: "x", tags }]
  ) {
    assert.equal((await a.request("share_context", input)).code, "invalid_argument");
  }
  const fits = { summary: "x".repeat(8_192), tags: tags.slice(1) };
  assert.equal((await a.request("share_context", fits)).type, "context_shared");
});

brokerTest(
  "who may not read a member's state does not find its contexts either",
  async (broker) => {
    const [ada, bob, cleo] = await broker.mesh("Ada", "Bob", "Cleo");
    const [a, b, c] = [await broker.join(ada!), await broker.join(bob!), await broker.join(cleo!)];
    await b.request("share_context", { summary: "the audit" });
    await b.request("set_grants", { grants: { [cleo!.keys.publicKey]: ["read", "dm"] } });
    assert.deepEqual(contextsOf(await c.request("list_contexts")), []);
    assert.deepEqual(contextsOf(await c.request("get_context", { query: "audit" })), []);
    // An owner reads everything.
    assert.equal(contextsOf(await a.request("list_contexts")).length, 1);
  },
);

brokerTest("a list that was cut says so, by count and by size", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const keyFindings = Array.from({ length: 60 }, () => "x".repeat(1_000));
  for (let n = 0; n < 10; n++) {
    const peer = await broker.join(ada!, { sessionId: `s${n}` });
    await peer.request("share_context", { summary: "x", keyFindings });
    await peer.close();
  }
  const viewer = await broker.join(ada!, { sessionId: "viewer" });
  const short = await viewer.request("list_contexts", { limit: 9 });
  assert.deepEqual([contextsOf(short).length, short.more], [9, true]);
  assert.equal((await viewer.request("list_contexts", { limit: 10 })).more, false);
  const first = await viewer.request("get_context", { query: "x" });
  const { length } = contextsOf(first);
  assert.ok(length < 10 && first.more === true, String(length));
  const rest = await viewer.request("get_context", { query: "x", offset: length });
  assert.deepEqual([contextsOf(rest).length, rest.more], [10 - length, false]);
});

brokerTest("a context is taken at its limit in bytes and refused one past it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const empty = { summary: "", filesRead: [], keyFindings: [], tags: [] };
  const summary = "x".repeat(200 - JSON.stringify(empty).length);
  assert.equal((await peer.request("share_context", { summary })).type, "context_shared");
  const refused = await peer.request("share_context", { summary: `${summary}x` });
  assert.deepEqual([refused.code, refused.limit], ["too_large", 200]);
}, { limits: { contextBytes: 200 } });
