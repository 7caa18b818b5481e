/** Tests of the ledger: one line for all writes, and what becomes of those that fail. */
import assert from "node:assert/strict";
import { AUDIT_GENESIS } from "../../crypto/audit_hash.ts";
import { BatchLine } from "../../storage/sql/batch_line.ts";
import { SqlError, type SqlErrorKind } from "../../storage/sql/port.ts";
import type { CommitBatch, MessageRow } from "../../storage/sql/queries/message_store.ts";
import { FakeClock } from "../../tests/sim/fake_clock.ts";
import { fakeMember, fakeMesh } from "../../tests/sim/fake_mesh.ts";
import { MemoryMessageStore } from "../../tests/sim/memory_message_store.ts";
import { systemRandom } from "./clock.ts";
import { MeshError } from "../api/errors.ts";
import { Ledger, type SendJob } from "./ledger.ts";

const mesh = fakeMesh("mesh1", AUDIT_GENESIS);
const ada = fakeMember(mesh, 1, "Ada");

/** A store that notes its commits and fails those that a test wants to fail. */
class TestStore extends MemoryMessageStore {
  readonly batches: CommitBatch[] = [];
  failure: (batch: CommitBatch) => { kind: SqlErrorKind; kept: boolean } | null = () => null;
  down = false;
  /** What a commit waits for. */
  held: Promise<void> = Promise.resolve();
  readonly #line = new BatchLine();

  /** The ids of the messages that their sender calls so. */
  ids(...names: string[]): string[] {
    const rows = [...this.messages.values()];
    return names.map((name) => rows.find((row) => row.clientMessageId === name)?.id ?? "");
  }

  override commit(batch: CommitBatch, behind = false): Promise<void> {
    return this.#line.add(behind, () => this.#commit(batch));
  }

  async #commit(batch: CommitBatch): Promise<void> {
    this.batches.push(batch);
    await this.held;
    const failure = this.failure(batch);
    if (failure === null || failure.kept) await super.commit(batch);
    if (failure !== null) throw new SqlError(failure.kind, "made to fail");
  }

  override hasAudit(meshId: string, hash: string): Promise<boolean> {
    if (this.down) return Promise.reject(new SqlError("unavailable", "down"));
    return super.hasAudit(meshId, hash);
  }
}

async function openLedger() {
  mesh.auditHead = AUDIT_GENESIS;
  const store = new TestStore();
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const transaction = async <T>(run: (tx: never) => Promise<T>): Promise<T> => {
    const statements: unknown[] = [];
    const query = (text: string) => {
      statements.push(text);
      return Promise.resolve([]);
    };
    const result = await run({ query } as never);
    transactions.push(statements);
    return result;
  };
  const transactions: unknown[][] = [];
  const ledger = await Ledger.open({
    store,
    sql: { transaction },
    clock,
    random: systemRandom,
    onError: (error) => errors.push(error),
  });
  return { ledger, store, clock, errors, transactions };
}

/** A send that notes what it is told. */
function job(name: string, told: string[]): SendJob {
  const row: MessageRow = {
    seq: 0,
    id: "",
    meshId: mesh.id,
    senderNumber: ada.number,
    senderSessionPubkey: null,
    clientMessageId: name,
    requestFingerprint: null,
    targetSpec: "*",
    priority: "next",
    nonce: "",
    ciphertext: "",
    bodyVersion: 2,
    epoch: 1,
    replyToId: null,
    subtype: null,
    recipients: [2],
    createdAtMs: 0,
    expiresAtMs: 1,
  };
  return {
    kind: "send",
    mesh,
    sender: ada,
    row,
    prepare: () => {},
    committed: () => told.push(`${name} committed`),
    duplicate: (first) => told.push(`${name} is ${first.clientMessageId}`),
    failed: (error) => told.push(`${name} ${error.code}`),
    dropped: () => told.push(`${name} dropped`),
  };
}

function statement(text: string) {
  return { mesh, statements: [{ text }], audits: [] };
}

Deno.test("what waits while a commit runs shares the next one, in order", async () => {
  const { ledger, store, clock } = await openLedger();
  const first = ledger.append(statement("one"));
  await clock.advance(0);
  const others = [ledger.append(statement("two")), ledger.append(statement("three"))];
  await clock.advance(5);
  await Promise.all([first, ...others]);
  const texts = store.batches.map(({ statements }) => statements.map(({ text }) => text));
  assert.deepEqual(texts, [["one"], ["two", "three"]]);
});

Deno.test("a message is prepared while the store writes it, and knows its place by then", async () => {
  const { ledger, store, clock } = await openLedger();
  const { promise, resolve } = Promise.withResolvers<void>();
  store.held = promise;
  const told: string[] = [];
  const first = job("first", told);
  ledger.enqueue({
    ...first,
    prepare: () => told.push(`prepared as ${first.row.seq}`),
  });
  await clock.advance(5);
  assert.deepEqual(told, ["prepared as 1"]);
  resolve();
  await clock.advance(5);
  assert.deepEqual(told, ["prepared as 1", "first committed"]);
});

/** Starts a commit of one job and, while the store has it, puts `crowd` in line. */
async function crowdBehind(
  { ledger, store, clock }: Awaited<ReturnType<typeof openLedger>>,
  first: SendJob,
  crowd: readonly SendJob[],
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  store.held = promise;
  ledger.enqueue(first);
  await clock.advance(5);
  for (const each of crowd) ledger.enqueue(each);
  await clock.advance(5);
  resolve();
  await clock.advance(20);
}

function crowd(told: string[]): SendJob[] {
  return Array.from({ length: 70 }, (_, index) => job(`${index}`, told));
}

Deno.test("a crowd goes to the store behind the commit under way, and the chain is whole", async () => {
  const opened = await openLedger();
  const told: string[] = [];
  await crowdBehind(opened, job("first", told), crowd(told));
  const { store } = opened;
  assert.deepEqual(store.batches.map(({ messages }) => messages.length), [1, 64, 6]);
  assert.deepEqual(
    told,
    ["first", ...crowd([]).map(({ row }) => row.clientMessageId)].map((name) =>
      `${name} committed`
    ),
  );
  assert.deepEqual(
    store.audits.map(({ prevHash }) => prevHash),
    [AUDIT_GENESIS, ...store.audits.slice(0, -1).map(({ hash }) => hash)],
  );
});

Deno.test("behind a refused commit nothing is kept, and all but the one to blame comes again", async () => {
  const opened = await openLedger();
  const { store } = opened;
  store.failure = ({ messages }) =>
    messages.some(({ clientMessageId }) => clientMessageId === "bad")
      ? { kind: "invalid", kept: false }
      : null;
  const told: string[] = [];
  await crowdBehind(opened, job("bad", told), crowd(told));
  assert.deepEqual(told.slice(0, 3), ["bad internal", "bad dropped", "0 committed"]);
  assert.equal(told.at(-1), "69 committed");
  const seqs = [...store.messages.keys()];
  assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
  assert.equal(store.audits[0]?.prevHash, AUDIT_GENESIS);
  assert.equal(store.audits.at(-1)?.hash, mesh.auditHead);
});

for (const kept of [true, false]) {
  const outcome = kept ? "was kept" : "was not kept";
  Deno.test(`behind a commit without an answer that ${outcome} a crowd is refused, and stored nowhere`, async () => {
    const opened = await openLedger();
    const { store, ledger, clock } = opened;
    store.failure = ({ messages }) =>
      messages[0]?.clientMessageId === "lost" ? { kind: "unavailable", kept } : null;
    const told: string[] = [];
    await crowdBehind(opened, job("lost", told), crowd(told).slice(0, 64));
    assert.deepEqual(told.slice(0, 3), ["lost unavailable", "0 unavailable", "0 dropped"]);
    ledger.enqueue(job("next", told));
    await clock.advance(5);
    const fate = kept ? "lost committed" : "lost dropped";
    assert.deepEqual(told.slice(-2), [fate, "next committed"]);
    assert.equal(store.messages.size, kept ? 2 : 1);
    assert.equal(store.audits.at(-1)?.hash, mesh.auditHead, "the chain is whole");
  });
}

Deno.test("sends to one target share an audit row of their commit, and the chain goes on", async () => {
  const { ledger, store, clock } = await openLedger();
  const told: string[] = [];
  const third = job("c", told);
  const elsewhere = { ...third, row: { ...third.row, targetSpec: "@crew" } };
  for (const each of [job("a", told), elsewhere, job("b", told)]) ledger.enqueue(each);
  const entry = { event: "member_kicked", actor: ada, payload: { member: "x" } };
  const change = ledger.append({ mesh, statements: [], audits: [entry] });
  await clock.advance(5);
  await change;
  assert.deepEqual(store.audits.map(({ eventType, prevHash }) => [eventType, prevHash]), [
    ["message_sent", AUDIT_GENESIS],
    ["message_sent", store.audits[0]?.hash],
    ["member_kicked", store.audits[1]?.hash],
  ]);
  assert.deepEqual(store.audits.slice(0, 2).map(({ payload }) => payload), [
    { messageIds: store.ids("a", "b"), priority: "next", targetSpec: "*" },
    { messageIds: store.ids("c"), priority: "next", targetSpec: "@crew" },
  ]);
  assert.equal(mesh.auditHead, store.audits[2]?.hash);
});

Deno.test("a bad unit fails alone, and the others are stored in order", async () => {
  const { ledger, store, clock } = await openLedger();
  store.failure = ({ messages }) =>
    messages.some(({ clientMessageId }) => clientMessageId === "c")
      ? { kind: "invalid", kept: false }
      : null;
  const told: string[] = [];
  for (const id of ["a", "b", "c", "d", "e"]) ledger.enqueue(job(id, told));
  await clock.advance(5);
  assert.deepEqual(told, [
    "a committed",
    "b committed",
    "c internal",
    "c dropped",
    "d committed",
    "e committed",
  ]);
  assert.deepEqual([...store.messages.values()].map((row) => row.clientMessageId), [
    "a",
    "b",
    "d",
    "e",
  ]);
});

Deno.test("what the store has already is answered as a duplicate, the rest is stored", async () => {
  const { ledger, store, clock } = await openLedger();
  const told: string[] = [];
  ledger.enqueue(job("a", told));
  await clock.advance(5);
  const again = job("b", told);
  const repeat = { ...again, row: { ...again.row, clientMessageId: "a" } };
  for (const each of [job("x", told), repeat, job("y", told)]) ledger.enqueue(each);
  await clock.advance(5);
  assert.deepEqual(told, ["a committed", "b is a", "b dropped", "x committed", "y committed"]);
  const named = store.audits.flatMap(({ payload }) =>
    (payload as { messageIds: string[] }).messageIds
  );
  assert.deepEqual(named, store.ids("a", "x", "y"), "only what is stored is audited");
});

for (const kept of [true, false]) {
  const outcome = kept ? "delivered when it was kept" : "dropped when it was not";
  Deno.test(`a commit without an answer fails at once and is later ${outcome}`, async () => {
    const { ledger, store, clock } = await openLedger();
    const told: string[] = [];
    store.failure = () => ({ kind: "unavailable", kept });
    ledger.enqueue(job("a", told));
    await clock.advance(5);
    assert.deepEqual(told, ["a unavailable"]);
    store.failure = () => null;
    ledger.enqueue(job("b", told));
    await clock.advance(5);
    const fate = kept ? "a committed" : "a dropped";
    assert.deepEqual(told, ["a unavailable", fate, "b committed"]);
    assert.equal(store.audits.at(-1)?.hash, mesh.auditHead, "the chain is whole");
    assert.equal(store.audits.length, kept ? 2 : 1);
  });
}

Deno.test("while the store is away everything is refused, and stored nowhere", async () => {
  const { ledger, store, clock } = await openLedger();
  const told: string[] = [];
  store.failure = () => ({ kind: "unavailable", kept: true });
  ledger.enqueue(job("a", told));
  await clock.advance(5);
  store.down = true;
  for (const id of ["b", "c"]) ledger.enqueue(job(id, told));
  await clock.advance(5);
  const refused = ["b unavailable", "b dropped", "c unavailable", "c dropped"];
  assert.deepEqual(told, ["a unavailable", ...refused]);
  store.down = false;
  store.failure = () => null;
  ledger.enqueue(job("d", told));
  await clock.advance(5);
  assert.deepEqual(told.slice(5), ["a committed", "d committed"]);
});

Deno.test("a transaction runs alone between commits and chains its audits", async () => {
  const { ledger, clock, store, transactions } = await openLedger();
  const order: string[] = [];
  const results = [
    ledger.append(statement("one")).then(() => order.push("one")),
    ledger.transact(mesh, async (tx) => {
      await tx.query("read");
      return { result: 42, audits: [{ event: "e", actor: null, payload: {} }] };
    }).then((result) => order.push(`transaction ${result}`)),
    ledger.append(statement("two")).then(() => order.push("two")),
  ];
  await clock.advance(10);
  await Promise.all(results);
  assert.deepEqual(order, ["one", "transaction 42", "two"]);
  assert.equal(transactions[0]?.length, 2);
  assert.equal(store.batches.length, 2);
  assert.notEqual(mesh.auditHead, AUDIT_GENESIS);
});

Deno.test("a refusal inside a transaction reaches its caller, and the chain stays", async () => {
  const { ledger, clock } = await openLedger();
  const refusal = new MeshError("already_exists", "taken");
  const result = ledger.transact(mesh, () => Promise.reject(refusal));
  result.catch(() => {});
  await clock.advance(5);
  await assert.rejects(result, (error) => error === refusal);
  assert.equal(mesh.auditHead, AUDIT_GENESIS);
});

Deno.test("a mistake in one job's own functions does not keep others from their answer", async () => {
  const { ledger, clock, errors } = await openLedger();
  const told: string[] = [];
  const broken = job("a", told);
  ledger.enqueue({
    ...broken,
    committed: () => {
      throw new Error("mistake");
    },
  });
  ledger.enqueue(job("b", told));
  await clock.advance(5);
  assert.deepEqual(told, ["b committed"]);
  assert.equal(errors.length, 1);
});

Deno.test("idle waits for all that is in line", async () => {
  const { ledger, clock, store } = await openLedger();
  await ledger.idle();
  const told: string[] = [];
  for (let index = 0; index < 600; index++) ledger.enqueue(job(`${index}`, told));
  const idle = ledger.idle().then(() => told.length);
  await clock.advance(10);
  assert.equal(await idle, 600);
  assert.deepEqual(store.batches.map(({ messages }) => messages.length), [256, 256, 88]);
});

Deno.test("the log goes on where the store ends", async () => {
  const store = new TestStore();
  await store.commit({
    statements: [],
    messages: [],
    cursors: [{ meshId: "mesh1", memberNumber: 1, closedThrough: 41, openBelow: [] }],
    receipts: [],
    seen: [],
    audits: [],
  });
  const clock = new FakeClock();
  const sql = { transaction: () => Promise.reject(new Error("none")) };
  const ledger = await Ledger.open({ store, sql, clock, random: systemRandom, onError: () => {} });
  const sent = job("a", []);
  ledger.enqueue(sent);
  await clock.advance(5);
  assert.equal(sent.row.seq, 42);
  assert.equal(ledger.ids.seqOf(sent.row.id), 42);
});
