/**
 * Agents exchanging messages through a real broker: direct, group, everyone, offline, in both directions, in order.
 */
import assert from "node:assert/strict";
import { groups } from "../../broker/api/groups.ts";
import { messaging } from "../../broker/api/messaging.ts";
import { gather, type TestAgent, withAgents } from "../support/agent.ts";
import { TestBroker } from "../support/broker.ts";
import { eachDriver } from "../support/sql.ts";
import type { Sql } from "../../storage/sql/port.ts";

async function withMesh(
  sql: Sql,
  names: readonly [string, ...string[]],
  run: (broker: TestBroker, ...agents: TestAgent[]) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql);
  try {
    await withAgents(names, async (...agents) => {
      const [owner, ...others] = agents;
      await owner!.found(broker.broker.url, "team");
      await gather(owner!, ...others);
      await run(broker, ...agents);
    });
  } finally {
    await broker.close();
  }
}

eachDriver("two agents exchange direct messages in both directions", async (open) => {
  await withMesh(await open(), ["Ada", "Bob"], async (_broker, ada, bob) => {
    const sent = await ada.peer.send({ to: "bob", body: "hello Bob" });
    assert.equal(sent.state, "sent");
    assert.equal(sent.recipients, 1);
    assert.deepEqual(await bob.texts(1), ["hello Bob"]);
    const [message] = bob.received;
    assert.equal(message!.verification, "signed");
    assert.equal(message!.senderKey, ada.peer.mesh.pubkey);
    assert.equal(message!.senderName, "Ada");
    assert.equal(message!.kind, "direct");
    await bob.peer.send({ to: "Ada", body: "hello Ada", replyTo: message!.messageId });
    assert.deepEqual(await ada.texts(1), ["hello Ada"]);
    assert.equal(ada.received[0]!.replyTo, sent.messageId);
  });
});

eachDriver("a message to everyone reaches every member but its sender", async (open) => {
  await withMesh(await open(), ["Ada", "Bob", "Cleo"], async (_broker, ada, bob, cleo) => {
    const sent = await bob!.peer.send({ to: "*", body: "hear, hear" });
    assert.equal(sent.recipients, 2);
    assert.deepEqual(await ada!.texts(1), ["hear, hear"]);
    assert.deepEqual(await cleo!.texts(1), ["hear, hear"]);
    assert.equal(bob!.received.length, 0);
  });
});

eachDriver("a group message reaches the sessions in the group and below", async (open) => {
  await withMesh(await open(), ["Ada", "Bob", "Cleo"], async (_broker, ada, bob, cleo) => {
    bob!.peer.attachSession({ sessionId: "s1", pid: 1, cwd: "/tmp" });
    await bob!.peer.call(groups.joinGroup, { name: "eng/api" }, { sessionId: "s1" });
    const sent = await ada!.peer.send({ to: "@eng", body: "build is red" });
    assert.equal(sent.recipients, 1);
    assert.deepEqual(await bob!.texts(1), ["build is red"]);
    assert.deepEqual(bob!.peer.take("s1").map((each) => each.body), ["build is red"]);
    assert.equal(cleo!.received.length, 0);
  });
});

eachDriver("messages to an offline agent arrive in order when it is back", async (open) => {
  await withMesh(await open(), ["Ada", "Bob"], async (_broker, ada, bob) => {
    await bob!.stop();
    const bodies = Array.from({ length: 30 }, (_, index) => `message ${index}`);
    for (const body of bodies) await ada!.peer.send({ to: "Bob", body });
    bob!.start();
    assert.deepEqual(await bob!.texts(30), bodies);
    bob!.received.length = 0;
    await bob!.stop();
    bob!.start();
    await bob!.connected();
    await ada!.peer.send({ to: "Bob", body: "one more" });
    assert.deepEqual(await bob!.texts(1), ["one more"]);
  });
});

eachDriver("an agent sends while it is offline, and what it sent goes out later", async (open) => {
  await withMesh(await open(), ["Ada", "Bob"], async (broker, ada, bob) => {
    await ada!.peer.send({ to: "Bob", body: "zero" });
    await broker.broker.close();
    await ada!.state("is offline", (state) => !state.connected);
    const bodies = ["one", "two", "three"];
    for (const body of bodies) {
      const sent = await ada!.peer.send({ to: "Bob", body, waitMs: 0 });
      assert.equal(sent.state, "queued_locally");
    }
    const group = await ada!.peer.send({ to: "*", body: "four", waitMs: 0 });
    assert.equal(group.messageId, null);
    assert.equal(ada!.peer.outbox().length, 4);
    await ada!.stop();
    await bob!.stop();
    await broker.restart();
    for (const agent of [ada!, bob!]) moveTo(agent, broker.broker.url);
    ada!.start();
    bob!.start();
    assert.deepEqual(await bob!.texts(5), ["zero", "one", "two", "three", "four"]);
    await ada!.state("has sent all", (state) => state.queued === 0);
  });
});

eachDriver("receipts follow a message from stored to seen", async (open) => {
  await withMesh(await open(), ["Ada", "Bob"], async (_broker, ada, bob) => {
    const { messageId } = await ada!.peer.send({ to: "Bob", body: "look" });
    await bob!.texts(1);
    assert.equal(bob!.peer.markSeen([messageId!]), 1);
    assert.equal(bob!.peer.markSeen([messageId!]), 0);
    await seen(ada!, messageId!);
    assert.equal(bob!.peer.state.unseen, 0);
  });
});

eachDriver("a ping is timed to the broker and back and is never shown", async (open) => {
  await withMesh(await open(), ["Ada"], async (_broker, ada) => {
    const results = await ada!.peer.ping(["now", "next"]);
    assert.deepEqual(results.map((each) => each.priority), ["now", "next"]);
    for (const { committedMs, deliveredMs } of results) {
      assert.ok(committedMs! > 0);
      assert.ok(deliveredMs! > 0);
    }
    assert.deepEqual(ada!.peer.list(), []);
  });
});

eachDriver("a message names the session that sent it, and an answer finds it", async (open) => {
  await withMesh(await open(), ["Ada", "Bob"], async (_broker, ada, bob) => {
    for (const sessionId of ["s1", "s2"]) {
      ada!.peer.attachSession({ sessionId, pid: 1, cwd: "/", displayName: `Ada ${sessionId}` });
      await ada!.peer.call(messaging.clientAck, { brokerMessageIds: [] }, { sessionId });
    }
    await ada!.peer.send({ to: "Bob", body: "who am I", sessionId: "s2" });
    await bob!.texts(1);
    const [message] = bob!.received;
    assert.equal(message!.senderName, "Ada s2");
    assert.notEqual(message!.senderSessionKey, null);
    await bob!.peer.send({ to: message!.senderSessionKey!, body: "you are s2" });
    await ada!.texts(1);
    assert.deepEqual(ada!.peer.take("s1"), []);
    assert.deepEqual(ada!.peer.take("s2").map((each) => each.body), ["you are s2"]);
  });
});

/** Asks until the message has been seen; each answer of the broker is an event of its own. */
async function seen(agent: TestAgent, messageId: string): Promise<void> {
  for (let asked = 0; asked < 200; asked++) {
    const { recipients } = await agent.peer.call(messaging.messageStatus, { messageId });
    if (recipients[0]?.state === "seen") return;
  }
  throw new Error("the message was never seen");
}

/** A broker that was started again listens elsewhere. */
function moveTo(agent: TestAgent, brokerUrl: string): void {
  agent.home.updateConfig((config) => ({
    ...config,
    meshes: config.meshes.map((mesh) => ({ ...mesh, brokerUrl })),
  }));
}
