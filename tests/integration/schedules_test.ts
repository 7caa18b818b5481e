/** Reminders through a real broker on both drivers: set, sent, listed, called off. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPair } from "../../crypto/sign.ts";
import { brokerTest, type TestBroker } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

/** The text of a push that is a reminder. */
function textOf(push: Frame): string {
  assert.equal(push.subtype, "reminder");
  assert.equal(push.bodyVersion, 0);
  assert.equal(push.nonce, "");
  return Buffer.from(String(push.ciphertext), "base64").toString();
}

async function schedule(peer: TestPeer, input: object): Promise<string> {
  const ack = await peer.request("schedule", input);
  assert.equal(ack.type, "scheduled_ack", JSON.stringify(ack));
  return String(ack.scheduledId);
}

async function listed(peer: TestPeer, input: object = {}): Promise<Frame[]> {
  return (await peer.request("list_scheduled", input)).messages as Frame[];
}

/** Every reminder that has come so far; nothing else is on its way then. */
async function arrived(broker: TestBroker, peer: TestPeer): Promise<string[]> {
  await broker.context.delivery.flush();
  await peer.settled();
  return peer.frames.filter(({ type, subtype }) => type === "push" && subtype === "reminder")
    .map(textOf);
}

brokerTest("a reminder to oneself comes back to the session that set it", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const session = await broker.socket();
  const keys = generateKeyPair();
  await session.sessionHello(ada!, {}, keys);
  const set = await session.request("schedule", { message: "stretch ☕", inSeconds: 0 });
  const push = await session.nextMessage();
  assert.equal(textOf(push), "stretch ☕");
  assert.deepEqual([set.to, push.targetSpec], [keys.publicKey, keys.publicKey]);
  assert.equal(push.senderMemberPubkey, ada!.keys.publicKey);
  assert.equal(push.priority, "now");
  assert.equal(push.client_message_id, `schedule:${set.scheduledId}:${set.deliverAt}`);
  assert.deepEqual(await listed(session), []);
});

brokerTest("a reminder to oneself waits for one's return, also after a restart", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const session = await broker.socket();
  await session.sessionHello(ada!);
  await schedule(session, { message: "later", inSeconds: 0.2 });
  await session.close();
  await broker.restart();
  const back = await broker.join(ada!);
  assert.equal(textOf(await back.nextMessage()), "later");
});

brokerTest(
  "peer, group and everyone get it, their sender and other meshes do not",
  async (broker) => {
    const [ada, bob, cleo] = await broker.mesh("Ada", {
      name: "Bob",
      groups: [{ name: "eng/api" }],
    }, "Cleo");
    const [mallory] = await broker.mesh("Mallory");
    const peers = [];
    for (const member of [ada, bob, cleo, mallory]) peers.push(await broker.join(member!));
    const [adas, bobs, cleos, mallorys] = peers as [TestPeer, TestPeer, TestPeer, TestPeer];
    await schedule(adas, { to: "bob", message: "direct", inSeconds: 0 });
    assert.equal(textOf(await bobs.nextMessage()), "direct");
    await schedule(adas, { to: "@eng", message: "group", inSeconds: 0 });
    assert.equal(textOf(await bobs.nextMessage()), "group");
    await schedule(adas, { to: "*", message: "everyone", inSeconds: 0, priority: "low" });
    const [forBob, forCleo] = [await bobs.nextMessage(), await cleos.nextMessage()];
    assert.deepEqual([textOf(forBob), textOf(forCleo)], ["everyone", "everyone"]);
    assert.deepEqual([forCleo.priority, forCleo.targetSpec], ["low", "*"]);
    assert.deepEqual(await arrived(broker, adas), []);
    assert.deepEqual(await arrived(broker, mallorys), []);
  },
);

brokerTest("what a member does not grant, a reminder does not reach it by", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [adas, bobs] = [await broker.join(ada!), await broker.join(bob!)];
  const key = ada!.keys.publicKey;
  await bobs.request("set_grants", { grants: { [key]: ["broadcast"] } });
  await schedule(adas, { to: "Bob", message: "direct", inSeconds: 0 });
  await schedule(adas, { to: "*", message: "everyone", inSeconds: 0 });
  assert.equal(textOf(await bobs.nextMessage()), "everyone");
  assert.deepEqual(await arrived(broker, bobs), []);
});

brokerTest(
  "what cannot be scheduled is refused with the field and the next step",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const nowMs = Date.now();
    for (
      const [input, code, message] of [
        [{ to: "Nobody", inSeconds: 1 }, "not_found", /"nobody"/],
        [{ to: "@nobody", inSeconds: 1 }, "not_found", /@nobody/],
        [{}, "invalid_argument", /one of deliverAt, inSeconds and cron/],
        [{ inSeconds: 1, deliverAt: nowMs }, "invalid_argument", /one of/],
        [{ deliverAt: Math.floor(nowMs / 1000) }, "invalid_argument", /1970-.*has passed/],
        [{ deliverAt: nowMs + 11 * 31_557_600_000 }, "invalid_argument", /10 years ahead/],
        [{ cron: "61 * * * *" }, "invalid_cron", /minute 61/],
        [{ cron: "0 0 31 2 *" }, "invalid_cron", /never comes/],
        [{ cron: "0 9 * * *", timeZone: "Mars/X" }, "invalid_argument", /"Mars\/X"/],
        [{ inSeconds: 1, recurring: true }, "invalid_argument", /needs cron/],
        [{ inSeconds: 1, clock: "simulation" }, "no_clock", /sets its speed/],
        [{ inSeconds: 1, subtype: "system" }, "invalid_argument", /subtype/],
      ] as const
    ) {
      const answer = await peer.request("schedule", { message: "x", ...input });
      assert.equal(answer.code, code, JSON.stringify([input, answer]));
      assert.match(String(answer.message), message);
    }
    assert.deepEqual(await listed(peer), []);
  },
);

brokerTest("a time with cron's own zone is told as it will come", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const input = { message: "x", cron: "30 9 * * 1-5", timeZone: "America/New_York", deliverAt: 0 };
  const ack = await peer.request("schedule", input);
  const runs = ack.nextRuns as string[];
  assert.equal(runs.length, 3);
  assert.equal(ack.deliverAt, Date.parse(runs[0]!));
  for (const run of runs) {
    const local = new Date(run).toLocaleString("en-GB", { timeZone: "America/New_York" });
    assert.match(local, /09:30:00$/);
  }
  const [entry] = await listed(peer);
  assert.deepEqual(
    [entry!.cron, entry!.timeZone, entry!.firedCount, entry!.misfire, entry!.self],
    ["30 9 * * 1-5", "America/New_York", 0, "run_once", true],
  );
});

brokerTest(
  "a member has so many schedules and not one more, counting those to come",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const first = await schedule(peer, { message: "1", inSeconds: 900 });
    await schedule(peer, { message: "2", cron: "0 0 1 1 *" });
    const third = { message: "3", inSeconds: 900 };
    const refused = await peer.request("schedule", third);
    assert.deepEqual([refused.code, refused.limit], ["limit", 2]);
    await peer.request("cancel_scheduled", { scheduledId: first });
    await schedule(peer, third);
  },
  { limits: { schedules: 2 } },
);

brokerTest(
  "everybody lists and calls off their own; admins call off all, unread",
  async (broker) => {
    const [ada, bob, cleo] = await broker.mesh("Ada", "Bob", "Cleo");
    const [other] = await broker.mesh("Other");
    const [adas, bobs, cleos, others] = [
      await broker.join(ada!),
      await broker.join(bob!),
      await broker.join(cleo!),
      await broker.join(other!),
    ];
    const id = await schedule(bobs, { to: "Cleo", message: "a secret", inSeconds: 900 });
    assert.deepEqual((await listed(bobs)).map(({ id, message, toName }) => [id, message, toName]), [
      [id, "a secret", "Cleo"],
    ]);
    assert.deepEqual(await listed(cleos), []);
    assert.deepEqual(await listed(adas), []);
    assert.equal((await cleos.request("list_scheduled", { all: true })).code, "forbidden");
    assert.equal((await cleos.request("cancel_scheduled", { scheduledId: id })).code, "not_found");
    assert.equal((await others.request("cancel_scheduled", { scheduledId: id })).code, "not_found");
    assert.deepEqual(await listed(others, { all: true }), []);
    const [seen] = await listed(adas, { all: true });
    assert.deepEqual([seen!.id, seen!.message, seen!.createdBy], [id, "", "Bob"]);
    const done = await adas.request("cancel_scheduled", { scheduledId: id.slice(0, 8) });
    assert.deepEqual([done.type, done.scheduledId, done.ok], ["cancel_scheduled_ack", id, true]);
    assert.deepEqual(await listed(bobs), []);
    const again = await bobs.request("cancel_scheduled", { scheduledId: id });
    assert.match(String(again.message), /already been called off/);
  },
);

brokerTest(
  "a list of many long reminders comes in pages that a connection takes",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const ids: string[] = [];
    for (let n = 0; n < 40; n++) {
      ids.push(await schedule(peer, { message: "x".repeat(16_384), inSeconds: 900 + n }));
    }
    const read: unknown[] = [];
    for (let more: unknown = true; more === true;) {
      const page = await peer.request("list_scheduled", { offset: read.length });
      assert.ok(JSON.stringify(page).length < 600_000);
      read.push(...(page.messages as Frame[]).map(({ id }) => id));
      more = page.more;
    }
    assert.deepEqual(read, ids);
  },
);

brokerTest("what has fired cannot be called off, and is said to have", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const id = await schedule(peer, { message: "x", inSeconds: 0 });
  await peer.nextMessage();
  const answer = await peer.request("cancel_scheduled", { scheduledId: id });
  assert.equal(answer.code, "not_found");
  assert.match(String(answer.message), /already fired/);
});

brokerTest("the audit log knows of schedules, not of their texts", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const id = await schedule(peer, { message: "top secret", inSeconds: 900 });
  await peer.request("cancel_scheduled", { scheduledId: id });
  const rows = await broker.sql.query<{ event: string; payload: object }>(
    "select event_type as event, payload from mesh.audit_log where mesh_id = $1 order by id",
    [ada!.meshId],
  );
  const events = rows.map((row) => row.event);
  assert.deepEqual(events.filter((event) => event.startsWith("reminder")), [
    "reminder_scheduled",
    "reminder_cancelled",
  ]);
  assert.ok(!JSON.stringify(rows).includes("secret"));
});

for (const how of ["leaves", "is banned"] as const) {
  brokerTest(`the schedules of a member that ${how} end for good`, async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [adas, bobs] = [await broker.join(ada!), await broker.join(bob!)];
    await schedule(bobs, { to: "Ada", message: "x", cron: "* * * * *" });
    await schedule(bobs, { to: "Ada", message: "y", inSeconds: 1 });
    if (how === "leaves") await bobs.request("leave_mesh");
    else await adas.request("ban", { target: "Bob" });
    assert.deepEqual(await listed(adas, { all: true }), []);
    const rows = await broker.sql.query<{ ended: string }>(
      "select ended_as as ended from mesh.scheduled_message where mesh_id = $1",
      [ada!.meshId],
    );
    assert.deepEqual(rows.map(({ ended }) => ended), ["creator_gone", "creator_gone"]);
    if (how === "is banned") {
      await adas.request("unban", { target: "Bob" });
      assert.deepEqual(await listed(adas, { all: true }), []);
    }
  });
}
