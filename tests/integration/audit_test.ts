/** The audit chain as its readers see it. */
import assert from "node:assert/strict";
import { AUDIT_GENESIS, auditHash } from "../../crypto/audit_hash.ts";
import { brokerTest, type TestBroker, type TestMember } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

async function withRows(broker: TestBroker): Promise<{ peer: TestPeer; member: TestMember }> {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (const key of ["a", "b", "c"]) await peer.request("set_state", { key, value: "secret" });
  return { peer, member: ada! };
}

function entriesOf(frame: Frame): Frame[] {
  return frame.entries as Frame[];
}

brokerTest(
  "a client verifies the chain with what it is given, and finds no content",
  async (broker) => {
    const { peer, member } = await withRows(broker);
    const answer = await peer.request("audit_query", { after: 0 });
    let head: unknown = AUDIT_GENESIS;
    for (const entry of entriesOf(answer)) {
      assert.equal(entry.prevHash, head);
      const { prevHash, eventType, actorMemberId, payload, createdAt } = entry as never;
      const fields = { prevHash, eventType, actorMemberId, payload, createdAt };
      assert.equal(auditHash({ meshId: member.meshId, ...fields }), entry.hash);
      head = entry.hash;
    }
    assert.ok(entriesOf(answer).length >= 3);
    assert.ok(!JSON.stringify(answer).includes("secret"));
    const { valid, entries, head: verified } = await peer.request("audit_verify");
    assert.deepEqual([valid, entries, verified], [true, entriesOf(answer).length, head]);
  },
);

brokerTest("the log is paged, newest first, and filtered by event", async (broker) => {
  const { peer } = await withRows(broker);
  const newest = await peer.request("audit_query", { limit: 2, eventType: "state_set" });
  const keys = entriesOf(newest).map(({ payload }) => (payload as Frame).key);
  assert.deepEqual([keys, newest.total], [["c", "b"], 3]);
  const next = await peer.request("audit_query", { limit: 2, offset: 2, eventType: "state_set" });
  assert.deepEqual(entriesOf(next).map(({ payload }) => (payload as Frame).key), ["a"]);
  assert.equal((await peer.request("audit_query", { limit: 1_001 })).code, "invalid_argument");
  assert.equal(
    (await peer.request("audit_query", { after: 1, offset: 1 })).code,
    "invalid_argument",
  );
});

brokerTest("a changed, a deleted and an inserted row are found", async (broker) => {
  const { peer, member } = await withRows(broker);
  const rows = entriesOf(await peer.request("audit_query", { after: 0, limit: 100 }));
  const second = rows.at(-2)!.id as number;
  const last = rows.at(-1)!.id as number;
  async function verdict(): Promise<unknown[]> {
    const { valid, brokenAt } = await peer.request("audit_verify");
    return [valid, brokenAt];
  }
  async function change(text: string, params: unknown[]): Promise<void> {
    await broker.sql.query(text, params);
  }
  await change("update mesh.audit_log set event_type = 'x' where id = $1", [second]);
  assert.deepEqual(await verdict(), [false, second]);
  await change("update mesh.audit_log set event_type = 'state_set' where id = $1", [second]);
  assert.deepEqual(await verdict(), [true, undefined]);
  await change("delete from mesh.audit_log where id = $1", [second]);
  assert.deepEqual(await verdict(), [false, last]);
  await change(
    `insert into mesh.audit_log (mesh_id, event_type, payload, prev_hash, hash, created_at)
     values ($1, 'forged', '{}', 'x', 'y', now())`,
    [member.meshId],
  );
  assert.deepEqual(await verdict(), [false, last]);
});

brokerTest("another mesh's chain is its own", async (broker) => {
  const { peer } = await withRows(broker);
  const [eve] = await broker.mesh("Eve");
  const foreign = await broker.join(eve!);
  const kinds = entriesOf(await foreign.request("audit_query", { limit: 100 }))
    .map(({ eventType }) => eventType);
  assert.ok(!kinds.includes("state_set"));
  assert.equal((await peer.request("audit_verify")).valid, true);
});

brokerTest("what members do is counted, over a restart, and shown to all", async (broker) => {
  const { peer, member } = await withRows(broker);
  await peer.request("delete_state", { key: "none" });
  await peer.request("send", {
    targetSpec: member.keys.publicKey,
    priority: "now",
    nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ciphertext: "c2VhbGVk",
  });
  const [before] = (await peer.request("mesh_stats")).peers as Frame[];
  assert.deepEqual(
    [before?.name, before?.online, before?.messagesOut, before?.errors, before?.toolCalls],
    ["Ada", true, 1, 1, 5],
  );
  await broker.restart();
  const [after] = (await (await broker.join(member)).request("mesh_stats")).peers as Frame[];
  assert.deepEqual(
    [after?.messagesOut, after?.errors, after?.toolCalls],
    [1, 1, 6],
  );
});
