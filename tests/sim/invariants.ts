/**
 * What must be true when a simulation has come to rest.
 */
import assert from "node:assert/strict";
import { AUDIT_GENESIS, auditHash } from "../../crypto/audit_hash.ts";
import type { AuditRow, MessageRow } from "../../storage/sql/queries/message_store.ts";
import type { SimAgent } from "./sim_agent.ts";
import type { Simulation } from "./simulation.ts";

const DAY_MS = 86_400_000;
/** Longer than any question to the broker takes. */
const ANSWER_MS = 1_000;

/** Checks a finished simulation. @throws AssertionError naming what is broken. */
export async function checkInvariants(
  simulation: Simulation,
  audits: readonly AuditRow[],
): Promise<void> {
  assert.deepEqual(simulation.failures, [], "nothing failed but the store and the network");
  checkSenders(simulation);
  checkRecipients(simulation);
  for (const agent of simulation.agents) checkOrder(simulation, agent);
  await checkReceipts(simulation);
  checkAudits(simulation, audits);
  await checkPurge(simulation);
}

/** Acknowledged means stored once, for those it was meant for; refused means stored nowhere. */
function checkSenders({ agents, log, expectations }: Simulation): void {
  for (const { plan, outbox } of agents) {
    for (const message of outbox) {
      const { clientMessageId } = message;
      const rows = log.filter((row) => row.clientMessageId === clientMessageId);
      if (message.state === "refused") {
        assert.deepEqual(rows, [], `${clientMessageId} was refused and is stored`);
        continue;
      }
      assert.equal(rows.length, 1, `${clientMessageId} is stored once`);
      const [row] = rows;
      assert.equal(row?.id, message.messageId, `${clientMessageId} was answered with its id`);
      assert.equal(row?.senderNumber, plan.number);
      const recipients = row?.recipients.filter((number) => number > 0) ?? [];
      const text = [...recipients].sort((one, other) => one - other).join();
      assert.ok(
        expectations.get(clientMessageId)?.includes(text),
        `${clientMessageId} to ${message.targetSpec} is for ${text}`,
      );
    }
  }
}

/** What is stored is in each recipient's inbox once, unless it expired, and in nobody else's. */
function checkRecipients({ agents, log, clock }: Simulation): void {
  for (const { plan, inbox } of agents) {
    const counts = new Map<string, number>();
    for (const { clientMessageId } of inbox) {
      counts.set(clientMessageId, (counts.get(clientMessageId) ?? 0) + 1);
    }
    for (const row of log) {
      const id = row.clientMessageId ?? "";
      const count = counts.get(id) ?? 0;
      counts.delete(id);
      const where = `${id} in the inbox of ${plan.number}`;
      if (!row.recipients.includes(plan.number)) assert.equal(count, 0, where);
      else if (row.expiresAtMs > clock.now()) assert.equal(count, 1, where);
      else assert.ok(count <= 1, where);
    }
    assert.deepEqual([...counts.keys()], [], "only what is stored arrives");
    for (const { messageId, ciphertext } of inbox) {
      assert.equal(ciphertext, rowOf(log, messageId).ciphertext, "the text is the sender's");
    }
  }
}

/** Per sender and priority, messages arrive in the order of the log, which is the sender's. */
function checkOrder({ agents, log, refused }: Simulation, { plan, inbox }: SimAgent): void {
  for (const sender of agents) {
    for (const priority of ["now", "next", "low"]) {
      const arrived = inbox.filter((message) =>
        message.senderNumber === sender.plan.number && message.priority === priority
      );
      const places = arrived.map(({ messageId }) => rowOf(log, messageId).seq);
      const where = `${priority} from ${sender.plan.number} to ${plan.number}`;
      assert.deepEqual(places, [...places].sort((one, other) => one - other), where);
      if (refused.has(sender.plan.number)) continue;
      const sent = sender.outbox.map(({ clientMessageId }) => clientMessageId);
      const turns = arrived.map(({ clientMessageId }) => sent.indexOf(clientMessageId));
      assert.deepEqual(turns, [...turns].sort((one, other) => one - other), `${where} as sent`);
    }
  }
}

/** The sender can see where each message is. */
async function checkReceipts(simulation: Simulation): Promise<void> {
  const { agents, log, broker, clock } = simulation;
  for (const row of log) {
    const sender = broker.members.find(({ number }) => number === row.senderNumber);
    assert.ok(sender !== undefined && broker.delivery !== null);
    const expired = row.expiresAtMs <= clock.now();
    // What expires while the question is under way may be told either way.
    if (!expired && row.expiresAtMs <= clock.now() + ANSWER_MS) continue;
    const status = await simulation.finish(broker.delivery.status(sender, row.id));
    assert.equal(status.recipients.length, row.recipients.length);
    for (const [index, number] of row.recipients.entries()) {
      const state = status.recipients[index]?.state;
      const where = `${row.clientMessageId} for ${number} is ${state}`;
      if (number < 0) assert.equal(state, expired ? "expired" : "stored", where);
      else if (expired) assert.ok(["received", "seen", "expired"].includes(state ?? ""), where);
      else assert.ok(state === "received" || state === "seen", where);
      if (state !== "received" && state !== "seen") continue;
      const inbox = agents.find(({ plan }) => plan.number === number)?.inbox ?? [];
      assert.ok(inbox.some(({ messageId }) => messageId === row.id), `${where} and not there`);
    }
  }
}

/** The audit log is one chain, and it names every stored message once. */
function checkAudits({ log }: Simulation, audits: readonly AuditRow[]): void {
  let prevHash = AUDIT_GENESIS;
  const named: string[] = [];
  for (const row of audits) {
    assert.equal(row.prevHash, prevHash, "the chain has no fork and no gap");
    const createdAt = new Date(row.createdAtMs).toISOString();
    assert.equal(row.hash, auditHash({ ...row, createdAt }), "the hash is the row's");
    prevHash = row.hash;
    named.push(...(row.payload as { messageIds: string[] }).messageIds);
  }
  assert.deepEqual(named.sort(), log.map(({ id }) => id).sort());
}

/** Closed messages leave nothing behind. */
async function checkPurge({ store, clock, log }: Simulation): Promise<void> {
  let after: number | null = 0;
  while (after !== null) after = await store.purge(clock.now() + 9 * DAY_MS, after, 50);
  assert.deepEqual(await store.bodies("mesh1", log.map(({ seq }) => seq)), []);
  assert.deepEqual(await store.openMessages("mesh1", 0, 10), []);
}

function rowOf(log: readonly MessageRow[], messageId: string): MessageRow {
  const row = log.find(({ id }) => id === messageId);
  assert.ok(row !== undefined, `${messageId} is stored`);
  return row;
}
