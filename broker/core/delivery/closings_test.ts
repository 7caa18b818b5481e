/** Tests of how closed deliveries reach the store. */
import assert from "node:assert/strict";
import { SqlError } from "../../../storage/sql/port.ts";
import type { CommitBatch } from "../../../storage/sql/queries/message_store.ts";
import { ack, connect, flushed, openFixture, send } from "../../../tests/sim/delivery_fixture.ts";
import { MemoryMessageStore } from "../../../tests/sim/memory_message_store.ts";

/** A store that notes what it was asked to write. */
class NotingStore extends MemoryMessageStore {
  readonly batches: CommitBatch[] = [];
  down = false;

  override commit(batch: CommitBatch): Promise<void> {
    if (this.down) return Promise.reject(new SqlError("unavailable", "down"));
    this.batches.push(batch);
    return super.commit(batch);
  }
}

async function open() {
  const store = new NotingStore();
  const fixture = await openFixture({ store });
  const [from, to] = [connect(fixture, fixture.ada), connect(fixture, fixture.ben)];
  const ids: string[] = [];
  for (let index = 0; index < 5; index++) ids.push(await send(fixture, from, fixture.ben.pubkey));
  store.batches.length = 0;
  return { ...fixture, fixture, store, to, ids };
}

Deno.test("acks of 50 ms are one write: a position and a receipt for each member", async () => {
  const { fixture, store, clock, to, ids, delivery } = await open();
  for (const index of [0, 2, 1]) {
    ack(fixture, to, [ids[index]!]);
    await clock.advance(10);
  }
  await clock.advance(50);
  const [batch, ...more] = store.batches;
  assert.deepEqual(more, []);
  assert.deepEqual(batch?.cursors, [
    { meshId: "mesh1", memberNumber: 2, closedThrough: 3, openBelow: [] },
  ]);
  assert.deepEqual(batch?.receipts.map(({ state, seqs }) => [state, seqs]), [
    ["received", [1, 2, 3]],
  ]);
  delivery.close();
});

Deno.test("what the store did not take is written later, once, with what came after it", async () => {
  const { fixture, store, clock, to, ids, delivery } = await open();
  store.down = true;
  ack(fixture, to, [ids[1]!]);
  await assert.rejects(flushed(fixture), { code: "unavailable" });
  ack(fixture, to, [ids[0]!]);
  delivery.seen(to, { brokerMessageIds: [ids[1]!] });
  store.down = false;
  await clock.advance(2_000);
  assert.equal(store.cursorRows.get(2)?.closedThrough, 2);
  const states = store.receipts.map(({ state, seqs }) => [state, seqs]);
  assert.deepEqual(states, [["received", [1, 2]], ["seen", [2]]]);
  delivery.close();
});

Deno.test("a flush covers every ack that came before it, also during a write", async () => {
  const { fixture, store, clock, to, ids, delivery } = await open();
  ack(fixture, to, [ids[0]!]);
  await clock.advance(50);
  ack(fixture, to, [ids[1]!]);
  await flushed(fixture);
  assert.equal(store.cursorRows.get(2)?.closedThrough, 2);
  const writes = store.batches.length;
  await flushed(fixture);
  assert.equal(store.batches.length, writes, "nothing new, nothing written");
  delivery.close();
});

Deno.test("members that get nothing follow the log, so that a restart has little to read", async () => {
  const { fixture, store, clock, delivery, cleo, ada } = await open();
  const from = [...fixture.mesh.connections].find(({ member }) => member === ada)!;
  fixture.ben.grants.set(ada.pubkey, []);
  const answers = [];
  for (let index = 0; index < 10_001; index++) {
    answers.push(delivery.send(from, {
      targetSpec: fixture.ben.pubkey,
      priority: "low",
      nonce: "",
      ciphertext: "",
      bodyVersion: 2,
    }));
    if (index % 1_000 === 0) await clock.advance(100);
  }
  await clock.advance(100);
  await Promise.all(answers);
  const swept = delivery.sweep();
  await clock.advance(100);
  await swept;
  assert.equal(store.cursorRows.get(cleo.number)?.closedThrough, 10_006);
  assert.equal(delivery.openCount(fixture.ben), 5);
  delivery.close();
});
