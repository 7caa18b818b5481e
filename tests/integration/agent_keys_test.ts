/**
 * The mesh key among agents: hand-over, waiting, rotation by owners and admins, both custodies.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/core/agent_clock.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { members } from "../../broker/api/members.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { gather, TestAgent, withAgents } from "../support/agent.ts";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";

async function withTeam(
  sql: Sql,
  names: readonly string[],
  run: (broker: TestBroker, ...agents: TestAgent[]) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql);
  try {
    await withAgents(names, (...agents) => run(broker, ...agents));
  } finally {
    await broker.close();
  }
}

eachDriver("a joiner gets the key when a member's agent comes back", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team");
    await ada!.ready();
    const { url } = await ada!.peer.createInvite({});
    await ada!.stop();
    await bob!.join(url);
    await bob!.connected();
    assert.equal(bob!.peer.state.keyState, "waiting");
    assert.match(bob!.peer.state.waitingReason!, /hand over/);
    await bob!.peer.send({ to: "Ada", body: "direct works already" });
    await assert.rejects(
      bob!.peer.send({ to: "*", body: "too early" }),
      (error) => error instanceof LocalError && error.code === "waiting_for_key",
    );
    ada!.start();
    await bob!.ready();
    await bob!.peer.send({ to: "*", body: "now to all" });
    assert.deepEqual(await ada!.texts(2), ["direct works already", "now to all"]);
  });
});

eachDriver("who joined without the link's secret waits for a person's word", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team");
    await ada!.ready();
    const { code } = await ada!.peer.createInvite({});
    const asked = ada!.event("key_requested");
    const outcome = await bob!.join(code, broker.broker.url);
    assert.equal(outcome.verified, false);
    assert.equal((await asked).proven, false);
    await bob!.connected();
    await ada!.peer.ping(["now"]);
    assert.equal(bob!.peer.state.keyState, "waiting");
    const given = await ada!.peer.handOver("Bob");
    assert.equal(given.pubkey, bob!.peer.mesh.pubkey);
    await bob!.ready();
    await ada!.peer.send({ to: "*", body: "welcome" });
    assert.deepEqual(await bob!.texts(1), ["welcome"]);
    await assert.rejects(ada!.peer.handOver("Bob"), /waits for the mesh key/);
  });
});

eachDriver("after a ban the key is rotated, and the banned one cannot read on", async (open) => {
  await withTeam(await open(), ["Ada", "Bob", "Mallory"], async (broker, ada, bob, mallory) => {
    await ada!.found(broker.broker.url, "team");
    await gather(ada!, bob!, mallory!);
    await ada!.peer.call(members.ban, { target: "Mallory" });
    await mallory!.state("is stopped", (state) => state.stopped);
    assert.match(mallory!.peer.state.reason!, /banned/);
    for (const agent of [ada!, bob!]) {
      await agent.state("epoch 2", (state) => state.epoch === 2 && state.keyState === "current");
    }
    const sent = await ada!.peer.send({ to: "*", body: "only for Bob" });
    assert.equal(sent.recipients, 1);
    assert.deepEqual(await bob!.texts(1), ["only for Bob"]);
    assert.equal(mallory!.home.readEpochs(mallory!.peer.mesh.meshId).has(2), false);
  });
});

eachDriver(
  "an admin's agent rotates when the owner is away, for all who proved it",
  async (open) => {
    // The waiting times of admins pass ten times as fast.
    const hasty = {
      ...systemClock,
      random: () => 0,
      after: (delayMs: number, run: () => void) => systemClock.after(delayMs / 10, run),
    };
    const admin = TestAgent.create("Bob", hasty);
    try {
      await withTeam(
        await open(),
        ["Ada", "Cleo", "Mallory"],
        async (broker, ada, cleo, mallory) => {
          await ada!.found(broker.broker.url, "team");
          await ada!.ready();
          // Cleo joins before the admin does, who therefore never saw her claim.
          await gather(ada!, cleo!, mallory!);
          const { url } = await ada!.peer.createInvite({ role: "admin" });
          await admin.join(url);
          await admin.ready();
          assert.equal(admin.peer.mesh.role, "admin");
          await ada!.stop();
          await admin.peer.call(members.ban, { target: "Mallory" });
          for (const agent of [admin, cleo!]) {
            await agent.state(
              "epoch 2",
              (state) => state.epoch === 2 && state.keyState === "current",
            );
          }
          await admin.peer.send({ to: "*", body: "epoch two" });
          assert.deepEqual(await cleo!.texts(1), ["epoch two"]);
          ada!.start();
          await ada!.ready();
          assert.deepEqual(await ada!.texts(1), ["epoch two"]);
        },
      );
    } finally {
      await admin.close();
    }
  },
);

eachDriver("a group message that comes before its key is kept and read later", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team");
    await ada!.ready();
    const { code } = await ada!.peer.createInvite({});
    await bob!.join(code, broker.broker.url);
    await bob!.connected();
    await ada!.peer.send({ to: "*", body: "early" });
    await ada!.peer.send({ to: "Bob", body: "direct" });
    assert.deepEqual(await bob!.texts(1), ["direct"]);
    const kept = bob!.peer.list().find((each) => each.state === "pending_key");
    assert.match(kept!.reason!, /epoch 1 has not been handed over/);
    await ada!.peer.handOver("Bob");
    assert.deepEqual(await bob!.texts(2), ["direct", "early"]);
    assert.deepEqual(bob!.peer.list().map((each) => each.state), ["ok", "ok"]);
  });
});

eachDriver("a kicked member comes back and gets the key by a person's word", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team");
    await gather(ada!, bob!);
    await ada!.peer.call(members.kick, { target: "Bob" });
    await bob!.state("is stopped", (state) => state.stopped);
    assert.match(bob!.peer.state.reason!, /ended this member's sessions/);
    await ada!.state("epoch 2", (state) => state.epoch === 2 && state.keyState === "current");
    await bob!.stop();
    bob!.start();
    await bob!.connected();
    await ada!.peer.ping(["now"]);
    assert.equal(bob!.peer.state.keyState, "waiting");
    await ada!.peer.handOver(bob!.peer.mesh.pubkey);
    await bob!.ready();
    assert.equal(bob!.peer.state.epoch, 2);
  });
});

eachDriver("under custody broker a joiner has the key while nobody is online", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team", "broker");
    await ada!.ready();
    const { url } = await ada!.peer.createInvite({});
    await ada!.stop();
    const outcome = await bob!.join(url);
    assert.equal(outcome.hasMeshKey, true);
    assert.equal(outcome.mesh.custody, "broker");
    await bob!.ready();
    await bob!.peer.send({ to: "*", body: "anybody" });
    ada!.start();
    assert.deepEqual(await ada!.texts(1), ["anybody"]);
  });
});

eachDriver("the second try of a join or a creation takes up the first", async (open) => {
  await withTeam(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.found(broker.broker.url, "team");
    await ada!.ready();
    const { url } = await ada!.peer.createInvite({});
    const first = await bob!.join(url);
    await bob!.stop();
    // The process died after the claim: the key is still the pending one, the mesh is not in the configuration.
    const key = bob!.home.readMemberKey(first.mesh.meshId);
    bob!.home.forgetMesh(first.mesh.meshId);
    bob!.home.writePendingKey(
      `join ${broker.broker.url} ${url.split("/i/")[1]!.split("#")[0]}`,
      key,
    );
    const second = await bob!.join(url);
    assert.equal(second.alreadyMember, true);
    assert.equal(second.mesh.memberId, first.mesh.memberId);
    await bob!.ready();
  });
});
