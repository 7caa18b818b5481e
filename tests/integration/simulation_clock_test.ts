/** A mesh's simulated time through a real broker on both drivers: controlled, ticking, kept, and followed by schedules. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { brokerTest } from "../support/broker.ts";
import type { TestPeer } from "../support/peer.ts";
import { until } from "../support/until.ts";

async function simulatedMs(peer: TestPeer): Promise<number> {
  return Date.parse(String((await peer.request("get_clock")).simTime));
}

brokerTest(
  "before it was set it stands at now, and can be neither paused nor resumed",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const status = await peer.request("get_clock");
    assert.deepEqual(
      [status.type, status.speed, status.paused, status.tick, status.state],
      ["clock_status", 0, true, 0, "not_started"],
    );
    assert.equal(status.simTime, status.startedAt);
    assert.equal((await peer.request("pause_clock")).code, "no_clock");
    assert.equal((await peer.request("resume_clock")).code, "no_clock");
  },
);

brokerTest(
  "owners and admins control it, members read it, other meshes have their own",
  async (broker) => {
    const [ada, ann, bob] = await broker.mesh("Ada", { name: "Ann", role: "admin" }, "Bob");
    const [other] = await broker.mesh("Other");
    const [adas, anns, bobs] = [
      await broker.join(ada!),
      await broker.join(ann!),
      await broker.join(bob!),
    ];
    for (const wire of ["set_clock", "pause_clock", "resume_clock"]) {
      assert.equal((await bobs.request(wire, { speed: 2 })).code, "forbidden");
    }
    assert.equal((await adas.request("set_clock", { speed: 50 })).state, "running");
    const paused = await anns.request("pause_clock");
    assert.deepEqual([paused.speed, paused.paused, paused.state], [50, true, "paused"]);
    assert.equal((await bobs.request("get_clock")).simTime, paused.simTime);
    const others = await broker.join(other!);
    assert.equal((await others.request("get_clock")).state, "not_started");
  },
);

brokerTest("the speed is a number from 1 to 100", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (const speed of [0, 0.5, 100.5, 101, "10", null]) {
    const answer = await peer.request("set_clock", { speed });
    assert.deepEqual([answer.code, answer.field], ["invalid_argument", "speed"]);
  }
  for (const speed of [1, 2.5, 100]) {
    assert.equal((await peer.request("set_clock", { speed })).speed, speed);
  }
});

brokerTest(
  "everybody hears its ticks, one for each simulated minute, until it is paused",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [adas, bobs] = [await broker.join(ada!), await broker.join(bob!)];
    const { startedAt } = await adas.request("set_clock", { speed: 100 });
    for (const peer of [adas, bobs]) {
      let last = 0;
      for (let count = 0; count < 2; count++) {
        const { tick, simTime, speed } = await peer.nextEvent("tick");
        // A machine that is busy tells the newest alone.
        assert.ok(Number(tick) > last);
        last = Number(tick);
        assert.equal(Date.parse(String(simTime)), Date.parse(String(startedAt)) + last * 60_000);
        assert.equal(speed, 100);
      }
    }
    const paused = await adas.request("pause_clock");
    await adas.request("set_clock", { speed: 1 });
    assert.equal((await adas.request("get_clock")).simTime, paused.simTime);
    const resumed = await adas.request("resume_clock");
    assert.equal(resumed.state, "running");
    assert.ok(Date.parse(String(resumed.simTime)) < Date.parse(String(paused.simTime)) + 60_000);
  },
);

brokerTest(
  "it goes on after a restart when somebody comes back, a paused one does not",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const [bob] = await broker.mesh("Bob");
    const before = [await broker.join(ada!), await broker.join(bob!)] as const;
    await before[0].request("set_clock", { speed: 100 });
    await before[1].request("set_clock", { speed: 100 });
    const paused = await before[1].request("pause_clock");
    const { tick } = await before[0].nextEvent("tick");
    const stoodMs = await simulatedMs(before[0]);
    await broker.restart();
    const running = await broker.join(ada!);
    const still = await broker.join(bob!);
    const nowMs = await simulatedMs(running);
    assert.ok(nowMs >= stoodMs, "it does not go back");
    assert.ok(Number((await running.nextEvent("tick")).tick) > Number(tick), "no tick twice");
    const status = await still.request("get_clock");
    assert.deepEqual([status.state, status.simTime], ["paused", paused.simTime]);
  },
);

brokerTest("it stands while nobody is there", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const first = await broker.join(ada!);
  await first.request("set_clock", { speed: 100 });
  const mesh = (await broker.context.meshes.find(ada!.meshId))!;
  await first.cut();
  await until("its connection is gone", 10_000, () => mesh.connections.size === 0);
  const stoodMs = broker.context.simulationClocks.now(mesh);
  await broker.context.simulationClocks.flush();
  assert.deepEqual([...broker.context.simulationClocks.running()], []);
  assert.equal(broker.context.simulationClocks.now(mesh), stoodMs);
  const back = await broker.join(ada!);
  assert.equal((await back.request("get_clock")).state, "running");
});

brokerTest("a schedule may follow it: at its speed, not while it is paused", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  await peer.request("set_clock", { speed: 1 });
  await peer.request("pause_clock");
  const input = { clock: "simulation", message: "in an hour", inSeconds: 50 };
  const ack = await peer.request("schedule", input);
  assert.equal(ack.deliverAt, await simulatedMs(peer) + 50_000);
  const cron = { clock: "simulation", message: "each minute", cron: "* * * * *", to: "Ada" };
  const repeated = await peer.request("schedule", cron);
  assert.equal(repeated.type, "scheduled_ack", JSON.stringify(repeated));
  await peer.request("set_clock", { speed: 100 });
  const list = async () => (await peer.request("list_scheduled")).messages as { clock: string }[];
  assert.deepEqual((await list()).map(({ clock }) => clock), ["simulation", "simulation"]);
  assert.ok(!peer.frames.some(({ type }) => type === "push"));
  await peer.request("resume_clock");
  const texts: string[] = [];
  while (
    !(texts.includes("in an hour") && texts.filter((each) => each === "each minute").length >= 2)
  ) {
    const push = await peer.next((frame) => frame.subtype === "reminder");
    texts.push(Buffer.from(String(push.ciphertext), "base64").toString());
  }
  assert.equal((await list()).length, 1);
});
