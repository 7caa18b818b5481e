/**
 * One suite for every `MessageStore`: what simulations run on behaves as what brokers run on.
 */
import assert from "node:assert/strict";
import {
  commitBatch,
  type MessageRow,
  type MessageStore,
} from "../../storage/sql/queries/message_store.ts";
import { SqlMessageStore } from "../../storage/sql/queries/messages.ts";
import { SqlError } from "../../storage/sql/port.ts";
import { eachDriver } from "../support/sql.ts";
import { MemoryMessageStore } from "./memory_message_store.ts";
import { insertMembers } from "./sql_members.ts";

const DAY_MS = 86_400_000;
const START_MS = 1_795_000_000_123;

function onEachStore(name: string, run: (store: MessageStore) => Promise<void>): void {
  Deno.test(`${name} (memory)`, () => run(new MemoryMessageStore()));
  eachDriver(name, async (open) => {
    const sql = await open();
    await insertMembers(sql, "mesh1", [1, 2, 3]);
    await insertMembers(sql, "mesh2", [4]);
    await run(new SqlMessageStore(sql));
  });
}

function message(seq: number, change: Partial<MessageRow> = {}): MessageRow {
  return {
    seq,
    id: `id${seq}`.padEnd(32, "x"),
    meshId: "mesh1",
    senderNumber: 1,
    senderSessionPubkey: null,
    clientMessageId: `c${seq}`,
    requestFingerprint: null,
    targetSpec: "*",
    priority: "next",
    nonce: "bm9uY2U=",
    ciphertext: "dGV4dA==",
    bodyVersion: 2,
    epoch: 1,
    replyToId: null,
    subtype: null,
    recipients: [2, 3],
    createdAtMs: START_MS,
    expiresAtMs: START_MS + 7 * DAY_MS,
    ...change,
  };
}

function cursor(memberNumber: number, closedThrough: number, openBelow: number[] = []) {
  return { meshId: "mesh1", memberNumber, closedThrough, openBelow };
}

async function openSeqs(store: MessageStore): Promise<number[]> {
  return (await store.openMessages("mesh1", 0, 100)).map((head) => head.seq);
}

onEachStore("a message comes back as it was stored, head and body", async (store) => {
  const row = message(10, {
    senderSessionPubkey: "5".repeat(64),
    requestFingerprint: "f1",
    targetSpec: `say "hi", {fríend}\\ 👋`,
    epoch: null,
    replyToId: "earlier",
    subtype: "reminder",
    recipients: [2, -3],
  });
  await store.commit(commitBatch({ messages: [message(9), row, message(11)] }));
  const head = (await store.openMessages("mesh1", 0, 10)).find(({ seq }) => seq === 10);
  const [body] = await store.bodies("mesh1", [10, 12]);
  const { size, ...rest } = { ...head, ...body };
  assert.deepEqual(rest, row);
  assert.equal(size, row.ciphertext.length + row.nonce.length);
});

onEachStore("a message is open until every position has passed it", async (store) => {
  await store.commit(commitBatch({ messages: [1, 2, 3].map((seq) => message(seq)) }));
  assert.deepEqual(await openSeqs(store), [1, 2, 3]);
  await store.commit(commitBatch({ cursors: [cursor(2, 3)] }));
  assert.deepEqual(await openSeqs(store), [1, 2, 3]);
  await store.commit(commitBatch({ cursors: [cursor(3, 2, [1])] }));
  assert.deepEqual(await openSeqs(store), [1, 3]);
  assert.deepEqual((await store.openMessages("mesh1", 2, 10)).map(({ seq }) => seq), [3]);
  assert.deepEqual((await store.openMessages("mesh1", 0, 1)).map(({ seq }) => seq), [1]);
  assert.deepEqual(await store.cursors("mesh1"), [cursor(2, 3), cursor(3, 2, [1])]);
});

onEachStore("who refused a message does not keep it open", async (store) => {
  await store.commit(commitBatch({ messages: [message(1, { recipients: [-2, -3] })] }));
  assert.deepEqual(await openSeqs(store), []);
});

onEachStore(
  "a second use of a client message id is a conflict that keeps nothing",
  async (store) => {
    await store.commit(commitBatch({ messages: [message(1)] }));
    const again = [message(2), message(3, { clientMessageId: "c1" })];
    await assert.rejects(
      store.commit(commitBatch({ messages: again, cursors: [cursor(2, 9)] })),
      (error) => error instanceof SqlError && error.kind === "conflict",
    );
    assert.deepEqual(await openSeqs(store), [1]);
    assert.deepEqual(await store.cursors("mesh1"), []);
    assert.deepEqual(
      await store.findSent([
        { senderNumber: 1, clientMessageId: "c1" },
        { senderNumber: 2, clientMessageId: "c1" },
      ]),
      [{ senderNumber: 1, clientMessageId: "c1", id: message(1).id, recipients: 2 }],
    );
  },
);

onEachStore("messages without a client message id never conflict", async (store) => {
  const rows = [1, 2].map((seq) => message(seq, { clientMessageId: null }));
  await store.commit(commitBatch({ messages: rows }));
  assert.deepEqual(await openSeqs(store), [1, 2]);
});

onEachStore("the log goes on behind what was closed, even if it was purged", async (store) => {
  assert.equal(await store.lastSeq(), 0);
  await store.commit(commitBatch({ messages: [message(5)] }));
  assert.equal(await store.lastSeq(), 5);
  await store.commit(commitBatch({ cursors: [cursor(2, 9)] }));
  assert.equal(await store.lastSeq(), 9);
});

onEachStore("receipts tell each state's first time", async (store) => {
  const receipt = (state: "received" | "expired", seqs: number[], atMs: number) => ({
    meshId: "mesh1",
    memberNumber: 2,
    state,
    seqs,
    atMs,
  });
  await store.commit(commitBatch({
    messages: [1, 2, 3].map((seq) => message(seq)),
    receipts: [receipt("received", [1, 3], START_MS + 5), receipt("received", [3], START_MS + 9)],
  }));
  assert.deepEqual(await store.receiptsOf("mesh1", 3, [2, 3]), [
    { memberNumber: 2, state: "received", atMs: START_MS + 5 },
  ]);
  assert.deepEqual(await store.receiptsOf("mesh1", 2, [2, 3]), []);
  assert.deepEqual(await store.receiptsOf("mesh2", 3, [2, 3]), []);
});

onEachStore("seen counts once, for recipients of the message in its mesh only", async (store) => {
  await store.commit(commitBatch({ messages: [message(1), message(2, { recipients: [3, -2] })] }));
  const seen = (memberNumber: number, seq: number, meshId = "mesh1") => ({
    meshId,
    memberNumber,
    messageId: message(seq).id,
    seq,
    atMs: START_MS + 50,
  });
  await store.commit(
    commitBatch({
      seen: [
        seen(2, 1),
        seen(2, 2),
        seen(4, 1),
        seen(3, 1, "mesh2"),
        { ...seen(3, 2), messageId: message(1).id },
      ],
    }),
  );
  await store.commit(commitBatch({ seen: [{ ...seen(2, 1), atMs: START_MS + 99 }] }));
  assert.deepEqual(await store.receiptsOf("mesh1", 1, [2, 3, 4]), [
    { memberNumber: 2, state: "seen", atMs: START_MS + 50 },
  ]);
  assert.deepEqual(await store.receiptsOf("mesh1", 2, [2, 3]), []);
});

onEachStore(
  "a sender finds its own messages only, by place and id or by client id",
  async (store) => {
    const rows = [message(1), message(12), message(2, { senderNumber: 2 })];
    await store.commit(commitBatch({ messages: rows }));
    const found = async (seq: number | null, text: string, sender = 1, mesh = "mesh1") =>
      (await store.findOwn(mesh, sender, { seq, text })).map((head) => head.seq);
    assert.deepEqual(await found(12, "id12"), [12]);
    assert.deepEqual(await found(1, message(1).id), [1]);
    assert.deepEqual(await found(1, "id12"), []);
    assert.deepEqual(await found(null, "id12"), []);
    assert.deepEqual(await found(null, "c12"), [12]);
    assert.deepEqual(await found(1, "c12"), [12]);
    assert.deepEqual(await found(2, "id2"), []);
    assert.deepEqual(await found(12, "id%"), []);
    assert.deepEqual(await found(12, "id12", 1, "mesh2"), []);
  },
);

onEachStore("the key of message ids stays", async (store) => {
  const key = await store.messageIdKey();
  assert.equal(key.length, 16);
  assert.deepEqual(await store.messageIdKey(), key);
});

onEachStore("bodies of another mesh are not read", async (store) => {
  await store.commit(commitBatch({ messages: [message(1)] }));
  assert.deepEqual(await store.bodies("mesh2", [1]), []);
});

onEachStore("the audit chain is found by its hashes", async (store) => {
  const audit = (prevHash: string, hash: string) => ({
    meshId: "mesh1",
    eventType: "message_sent",
    actorMemberId: "mesh1-m1",
    actorDisplayName: "Ada",
    payload: { messages: [{ id: "x" }] },
    prevHash,
    hash,
    createdAtMs: START_MS,
  });
  assert.equal(await store.auditHead("mesh1"), null);
  await store.commit(commitBatch({ audits: [audit("genesis", "h1"), audit("h1", "h2")] }));
  assert.equal(await store.auditHead("mesh1"), "h2");
  assert.equal(await store.hasAudit("mesh1", "h1"), true);
  assert.equal(await store.hasAudit("mesh1", "h3"), false);
  assert.equal(await store.hasAudit("mesh2", "h1"), false);
});

onEachStore(
  "what is closed for a day is purged, what is open or freshly closed stays",
  async (store) => {
    const old = { createdAtMs: START_MS - 3 * DAY_MS };
    await store.commit(commitBatch({
      messages: [
        message(1, old), // closed long ago
        message(2, old), // open for 3
        message(3, old), // closed for both, just now
        message(4, { ...old, recipients: [-2] }), // looks open to its sender
        message(5), // young
        message(6, { ...old, recipients: [] }),
      ],
      cursors: [cursor(2, 6), cursor(3, 6, [2])],
      receipts: [
        {
          meshId: "mesh1",
          memberNumber: 2,
          state: "received",
          seqs: [1],
          atMs: START_MS - 2 * DAY_MS,
        },
        { meshId: "mesh1", memberNumber: 3, state: "received", seqs: [3], atMs: START_MS - 60_000 },
      ],
    }));
    let after: number | null = 0;
    let rounds = 0;
    while (after !== null) {
      after = await store.purge(START_MS - DAY_MS, after, 2);
      assert.ok(++rounds < 9);
    }
    const left = [];
    for (let seq = 1; seq <= 6; seq++) {
      if ((await store.bodies("mesh1", [seq])).length > 0) left.push(seq);
    }
    assert.deepEqual(left, [2, 3, 4, 5]);
    assert.deepEqual(await store.receiptsOf("mesh1", 1, [2]), []);
    assert.equal((await store.receiptsOf("mesh1", 3, [3])).length, 1);
  },
);
