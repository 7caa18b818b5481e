/** Schedules over time on both drivers: repeated, late, missed, on clocks that step, with brokers that die or compete. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Clock, systemClock } from "../../broker/core/clock.ts";
import { ScheduleRuns } from "../../broker/jobs/schedule_runs.ts";
import type { SqlError } from "../../storage/sql/port.ts";
import { insertSchedule, leaseDue, moveSchedule } from "../../storage/sql/queries/schedules.ts";
import { TestBroker, type TestMember } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { eachDriver } from "../support/sql.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HOURLY = { message: "hourly", cron: "0 * * * *" };

/** A broker whose clock goes where a test wants it. */
class Stage {
  readonly broker: TestBroker;
  readonly #time: { aheadMs: number };

  constructor(broker: TestBroker, time: { aheadMs: number }) {
    this.broker = broker;
    this.#time = time;
  }

  /** Sets the clock; whoever waits on it finds out as it would within a minute. */
  goTo(atMs: number): void {
    this.#time.aheadMs = atMs - systemClock.now();
    this.broker.context.planChanged.wake();
  }

  /** The broker is down until `atMs`. */
  async downUntil(atMs: number): Promise<void> {
    this.#time.aheadMs = atMs - systemClock.now();
    await this.broker.restart();
  }

  async join(member: TestMember): Promise<TestPeer> {
    const timestamp = this.broker.context.clock.now();
    const peer = await this.broker.join(member, { timestamp, capabilities: ["acks", "body2"] });
    this.broker.context.planChanged.wake();
    return peer;
  }
}

function timeTest(name: string, run: (stage: Stage) => Promise<void>): void {
  eachDriver(name, async (open) => {
    const time = { aheadMs: 0 };
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + time.aheadMs };
    const broker = await TestBroker.start(await open(), { clock });
    try {
      await run(new Stage(broker, time));
    } finally {
      await broker.close();
    }
  });
}

async function schedule(peer: TestPeer, input: object): Promise<{ id: string; atMs: number }> {
  const ack = await peer.request("schedule", input);
  assert.equal(ack.type, "scheduled_ack", JSON.stringify(ack));
  return { id: String(ack.scheduledId), atMs: Number(ack.deliverAt) };
}

async function nextText(peer: TestPeer): Promise<string> {
  const push = await peer.next((frame) => frame.subtype === "reminder");
  await peer.request("client_ack", { brokerMessageId: push.messageId });
  return Buffer.from(String(push.ciphertext), "base64").toString();
}

/** Asserts that nothing is on its way: a later reminder of the same kind comes first. */
async function assertNothing(peer: TestPeer): Promise<void> {
  await schedule(peer, { message: "marker", inSeconds: 0 });
  assert.equal(await nextText(peer), "marker");
}

timeTest("each run comes at its time, once, over a restart too", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  let peer = await stage.join(ada!);
  const { atMs } = await schedule(peer, HOURLY);
  stage.goTo(atMs - 1_000);
  await assertNothing(peer);
  stage.goTo(atMs);
  assert.equal(await nextText(peer), "hourly");
  await assertNothing(peer);
  await stage.downUntil(atMs + 2_000);
  peer = await stage.join(ada!);
  await assertNothing(peer);
  stage.goTo(atMs + HOUR_MS);
  assert.equal(await nextText(peer), "hourly");
  const listed = await peer.request("list_scheduled");
  const [entry] = listed.messages as Frame[];
  assert.deepEqual([entry!.firedCount, entry!.deliverAt], [2, atMs + 2 * HOUR_MS]);
});

timeTest("a reminder 40 days ahead comes then and not at once", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { atMs } = await schedule(peer, { message: "far", inSeconds: 40 * 86_400 });
  stage.goTo(atMs - 1_000);
  await assertNothing(peer);
  stage.goTo(atMs);
  assert.equal(await nextText(peer), "far");
});

timeTest("a clock that is set back repeats nothing", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { atMs } = await schedule(peer, HOURLY);
  stage.goTo(atMs);
  assert.equal(await nextText(peer), "hourly");
  stage.goTo(atMs - 3 * HOUR_MS);
  await assertNothing(peer);
  stage.goTo(atMs + 1_000);
  await assertNothing(peer);
  stage.goTo(atMs + HOUR_MS);
  assert.equal(await nextText(peer), "hourly");
});

timeTest("a reminder that is late is sent all the same, and says so", async (stage) => {
  const [ada, bob] = await stage.broker.mesh("Ada", "Bob");
  const { atMs, id } = await schedule(await stage.join(ada!), {
    to: "Bob",
    message: "call",
    inSeconds: 900,
  });
  await stage.downUntil(atMs + DAY_MS);
  assert.match(await nextText(await stage.join(bob!)), /^call\n\n\[late: it was due at /);
  const notice = await (await stage.join(ada!)).nextEvent("reminder_missed");
  assert.deepEqual(notice, {
    scheduledId: id,
    message: "call",
    toName: "Bob",
    reason: "late",
    missed: 1,
    ran: 1,
    firstMissedAt: new Date(atMs).toISOString(),
    lastMissedAt: new Date(atMs).toISOString(),
    misfire: "run_once",
  });
});

timeTest("run_once makes one run for all that were missed", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const { atMs } = await schedule(await stage.join(ada!), HOURLY);
  await stage.downUntil(atMs + 5.5 * HOUR_MS);
  const peer = await stage.join(ada!);
  assert.match(await nextText(peer), /hourly\n\n\[late: this stands for 6 missed runs/);
  await assertNothing(peer);
  stage.goTo(atMs + 6 * HOUR_MS);
  assert.equal(await nextText(peer), "hourly");
});

timeTest("skip sends nothing of what was missed, and its creator is told once", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const { atMs } = await schedule(await stage.join(ada!), { ...HOURLY, misfire: "skip" });
  await stage.downUntil(atMs + 2.5 * HOUR_MS);
  let peer = await stage.join(ada!);
  const notice = await peer.nextEvent("reminder_missed");
  assert.deepEqual([notice.missed, notice.ran, notice.cron], [3, 0, "0 * * * *"]);
  await assertNothing(peer);
  await peer.close();
  peer = await stage.join(ada!);
  stage.goTo(atMs + 3 * HOUR_MS);
  assert.equal(await nextText(peer), "hourly");
  assert.ok(!peer.frames.some(({ event }) => event === "reminder_missed"));
});

timeTest("run_all makes each missed run, in order", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const { atMs } = await schedule(await stage.join(ada!), { ...HOURLY, misfire: "run_all" });
  await stage.downUntil(atMs + 2.5 * HOUR_MS);
  const peer = await stage.join(ada!);
  for (const hour of [0, 1, 2]) {
    const due = new Date(atMs + hour * HOUR_MS).toISOString();
    assert.equal(await nextText(peer), `hourly\n\n[late: it was due at ${due}]`);
  }
  await assertNothing(peer);
});

timeTest("a reminder to who has left is given up, and its creator told why", async (stage) => {
  const [ada, bob] = await stage.broker.mesh("Ada", "Bob");
  const peer = await stage.join(ada!);
  const { atMs } = await schedule(peer, { ...HOURLY, to: "Bob" });
  await (await stage.join(bob!)).request("leave_mesh");
  stage.goTo(atMs);
  const notice = await peer.nextEvent("reminder_missed");
  assert.deepEqual([notice.reason, notice.toName, notice.missed], ["recipient_gone", "Bob", 1]);
  assert.deepEqual((await peer.request("list_scheduled")).messages, []);
});

timeTest("a repeating reminder to a group goes on when nobody is in it for once", async (stage) => {
  const [ada, bob] = await stage.broker.mesh("Ada", "Bob");
  const peer = await stage.join(ada!);
  const bobs = await stage.join(bob!);
  await bobs.request("join_group", { name: "eng" });
  const { atMs } = await schedule(peer, { ...HOURLY, to: "@eng" });
  await bobs.request("leave_group", { name: "eng" });
  stage.goTo(atMs);
  assert.equal((await peer.nextEvent("reminder_missed")).reason, "nobody_there");
  await bobs.request("join_group", { name: "eng" });
  stage.goTo(atMs + HOUR_MS);
  assert.equal(await nextText(bobs), "hourly");
});

timeTest("what a dead broker had leased is sent by the next one, once", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { context, sql } = stage.broker;
  const nowMs = context.clock.now();
  await insertSchedule(sql, rowOf(ada!, "lease", nowMs));
  const lease = { owner: "dead", nowMs, untilMs: nowMs + 30_000, limit: 1 };
  assert.equal((await leaseDue(sql, lease)).length, 1);
  context.planChanged.wake();
  await assertNothing(peer);
  stage.goTo(nowMs + 31_000);
  assert.equal(await nextText(peer), "lease");
  const move = { id: "lease", meshId: ada!.meshId, owner: "dead", fromMs: nowMs, toMs: null };
  const rest = { fired: 1, missed: 0, notice: null, atMs: nowMs, keepsLease: false } as const;
  await assert.rejects(
    sql.batch([moveSchedule({ ...move, endedAs: "fired", ...rest })]),
    (error: SqlError) => error.sqlState === "22012",
  );
});

timeTest("several brokers on one database send each of many once", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { context, sql } = stage.broker;
  const nowMs = context.clock.now();
  const ids = Array.from({ length: 200 }, (_, index) => `many${index}`);
  for (const id of ids) await insertSchedule(sql, rowOf(ada!, id, nowMs));
  const brokers = ["one", "two", "three"].map((owner) => new ScheduleRuns(context, owner));
  await Promise.all(brokers.map(async (each) => {
    while (await each.runDue());
  }));
  context.planChanged.wake();
  const texts: string[] = [];
  while (texts.length < ids.length) texts.push(await nextText(peer));
  assert.deepEqual(texts.sort(), ids.sort());
  await assertNothing(peer);
});

timeTest("leases taken at the same moment never overlap", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const { sql } = stage.broker;
  // A month ahead: the broker's own scheduler leaves them alone.
  const nowMs = stage.broker.context.clock.now() + 30 * DAY_MS;
  for (let index = 0; index < 90; index++) {
    await insertSchedule(sql, rowOf(ada!, `row${index}`, nowMs - index));
  }
  const leases = await Promise.all(
    ["a", "b", "c", "d"].map((owner) =>
      leaseDue(sql, { owner, nowMs, untilMs: nowMs + 30_000, limit: 30 })
    ),
  );
  const ids = leases.flat().map(({ id }) => id);
  assert.equal(ids.length, 90);
  assert.equal(new Set(ids).size, 90);
});

timeTest("what is called off at the last moment is not sent", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { id } = await schedule(peer, { message: "no", inSeconds: 3_600 });
  const { context } = stage.broker;
  const clock = { ...context.clock, now: () => systemClock.now() + HOUR_MS };
  const answers: Frame[] = [];
  const find: typeof context.meshes.find = async (meshId) => {
    answers.push(await peer.request("cancel_scheduled", { scheduledId: id }));
    return await context.meshes.find(meshId);
  };
  const meshes = { find } as typeof context.meshes;
  assert.equal(await new ScheduleRuns({ ...context, clock, meshes }, "late").runDue(), false);
  assert.deepEqual(answers.map(({ ok }) => ok), [true], "it was leased by then");
  await assertNothing(peer);
});

timeTest("an occurrence that was sent in another way is not sent again", async (stage) => {
  const [ada] = await stage.broker.mesh("Ada");
  const peer = await stage.join(ada!);
  const { id, atMs } = await schedule(peer, HOURLY);
  await peer.request("send", {
    targetSpec: ada!.keys.publicKey,
    nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ciphertext: "c2VhbGVk",
    client_message_id: `schedule:${id}:${atMs}`,
  });
  stage.goTo(atMs);
  await assertNothing(peer);
  stage.goTo(atMs + HOUR_MS);
  assert.equal(await nextText(peer), "hourly");
});

function rowOf(member: TestMember, id: string, nextRunAtMs: number) {
  return {
    id,
    meshId: member.meshId,
    memberId: member.id,
    to: member.keys.publicKey,
    toName: member.displayName,
    recipientId: member.id,
    message: id,
    priority: "now" as const,
    cron: null,
    timeZone: null,
    clock: "real" as const,
    misfire: "run_once" as const,
    createdAtMs: nextRunAtMs,
    nextRunAtMs,
  };
}
