/**
 * Agents behind a broker that lies: it swaps keys, repeats and forges messages, plants epochs. Nothing of it is believed.
 */
import assert from "node:assert/strict";
import { generateKeyPair } from "../../crypto/sign.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { makeRotationProof, newEpochKey, sealKeyFor } from "../../crypto/mesh_key.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { gather, type TestAgent, withAgents } from "../support/agent.ts";
import { TestBroker } from "../support/broker.ts";
import { LyingBroker } from "../support/lying_broker.ts";
import { eachDriver } from "../support/sql.ts";

/** Ada owns the mesh; her or Bob's connection goes through the liar. */
async function withLiar(
  sql: Sql,
  run: (liar: LyingBroker, broker: TestBroker, ada: TestAgent, bob: TestAgent) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql);
  const liar = await LyingBroker.start(broker.socketUrl);
  try {
    await withAgents(["Ada", "Bob"], async (ada, bob) => {
      await ada!.found(broker.broker.url, "team");
      await ada!.ready();
      await run(liar, broker, ada!, bob!);
    });
  } finally {
    await liar.close();
    await broker.close();
  }
}

/** Starts `agent` anew with the liar as its broker. */
async function behind(liar: LyingBroker, agent: TestAgent): Promise<void> {
  await agent.stop();
  agent.home.updateConfig((config) => ({
    ...config,
    meshes: config.meshes.map((mesh) => ({ ...mesh, brokerUrl: liar.url })),
  }));
  agent.start();
}

type Fields = Record<string, unknown>;

function pushesOf(frame: Fields): Fields[] {
  if (frame.type === "push") return [frame];
  return frame.type === "push_batch" ? frame.pushes as Fields[] : [];
}

eachDriver("a repeated push, even under a new id, is shown once", async (open) => {
  await withLiar(await open(), async (liar, _broker, ada, bob) => {
    await gather(ada, bob);
    liar.lie = (frame) => {
      const copies = pushesOf(frame).filter((push) => push.subtype === undefined)
        .map((push) => ({ ...push, messageId: `again-${String(push.messageId).slice(0, 20)}` }));
      return [frame, frame, ...copies];
    };
    await behind(liar, bob);
    await bob.connected();
    await ada.peer.send({ to: "Bob", body: "once" });
    await ada.peer.send({ to: "*", body: "and once to all" });
    await ada.peer.send({ to: "Bob", body: "the end" });
    assert.deepEqual(await bob.texts(3), ["once", "and once to all", "the end"]);
    assert.equal(bob.peer.list().length, 3);
  });
});

eachDriver(
  "a message under another sender's name is kept as rejected, without text",
  async (open) => {
    await withLiar(await open(), async (liar, _broker, ada, bob) => {
      await gather(ada, bob);
      const somebody = generateKeyPair().publicKey;
      liar.lie = (frame) => {
        for (const push of pushesOf(frame)) {
          if (push.subtype === undefined) push.senderMemberPubkey = somebody;
        }
        return [frame];
      };
      await behind(liar, bob);
      await bob.connected();
      const { messageId } = await ada.peer.send({ to: "Bob", body: "from Ada" });
      assert.deepEqual(await bob.texts(1), [null]);
      const [message] = bob.received;
      assert.equal(message!.state, "rejected");
      assert.match(message!.reason!, /somebody else than the sender/);
      // It is out of the way: the broker counts it as received.
      assert.equal(message!.messageId, messageId);
    });
  },
);

eachDriver("a joiner whose key the broker has swapped does not get the mesh key", async (open) => {
  await withLiar(await open(), async (liar, broker, ada, bob) => {
    const evil = generateKeyPair();
    const handedOver: unknown[] = [];
    liar.lie = (frame) => {
      if (frame.type === "key_requests") {
        for (const request of frame.requests as Fields[]) request.pubkey = evil.publicKey;
      }
      if (frame.type === "key_handed_over") handedOver.push(frame);
      return [frame];
    };
    await behind(liar, ada);
    await ada.ready();
    const { url } = await ada.peer.createInvite({});
    const asked = ada.event("key_requested");
    await bob.join(url.replace(liar.url, broker.broker.url));
    await asked;
    // Two more answers on the same connection: the request has been judged by then.
    await ada.peer.ping(["now"]);
    await ada.peer.ping(["now"]);
    assert.deepEqual(handedOver, []);
    assert.equal(bob.peer.state.keyState, "waiting");
  });
});

eachDriver("a key that the broker has made itself is not believed", async (open) => {
  await withLiar(await open(), async (liar, _broker, ada, bob) => {
    await gather(ada, bob);
    const evil = generateKeyPair();
    const planted = newEpochKey();
    const { meshId, pubkey } = bob.peer.mesh;
    const proof = makeRotationProof(
      { meshId, epoch: 2, newKey: planted, previousKey: newEpochKey() },
      evil.secretKey,
    );
    liar.lie = (frame) => {
      if (frame.type === "mesh_keys") {
        frame.epoch = 2;
        (frame.keys as Fields[]).push({
          epoch: 2,
          sealedKey: sealKeyFor(pubkey, planted),
          proof,
          handoverMac: null,
          handoverBy: null,
          createdAt: new Date().toISOString(),
        });
      }
      return [frame];
    };
    await behind(liar, bob);
    await bob.state(
      "refuses the key",
      (state) => state.waitingReason?.includes("epoch 2") === true,
    );
    assert.match(bob.peer.state.waitingReason!, /without a valid proof/);
    assert.equal(bob.home.readEpochs(meshId).has(2), false);
    await assert.rejects(
      bob.peer.send({ to: "*", body: "secret" }),
      (error) => error instanceof LocalError && error.code === "waiting_for_key",
    );
  });
});

eachDriver("a reader that the broker has made up gets no key from a rotation", async (open) => {
  await withLiar(await open(), async (liar, _broker, ada, bob) => {
    await gather(ada, bob);
    const evil = generateKeyPair();
    let sealedTo: string[] = [];
    liar.lie = (frame) => {
      if (frame.type === "members_list") {
        const list = frame.members as Fields[];
        list.push({ ...list[0], memberId: "made-up", pubkey: evil.publicKey, role: "member" });
      }
      // The real broker never asked for this rotation, so it refuses it; what counts is whom it was sealed to.
      if (frame.type === "mesh_keys") frame.rekeyNeeded = true;
      if (frame.type === "hello_ack") (frame.mesh as Fields).rekeyNeeded = true;
      if (frame.type === "mesh_key_rotated") sealedTo = ["rotated"];
      return [frame];
    };
    await behind(liar, ada);
    await ada.state("epoch 2", (state) => state.epoch === 2 && state.keyState === "current");
    // Sealing to a made-up member would have been refused with not_found.
    assert.deepEqual(sealedTo, ["rotated"]);
    await bob.state("epoch 2", (state) => state.epoch === 2 && state.keyState === "current");
  });
});

eachDriver("another key under a known name stops a message to that name", async (open) => {
  await withLiar(await open(), async (liar, _broker, ada, bob) => {
    await gather(ada, bob);
    await ada.peer.send({ to: "Bob", body: "to the right Bob" });
    await bob.texts(1);
    const evil = generateKeyPair();
    liar.lie = (frame) => {
      if (frame.type === "members_list") {
        for (const member of frame.members as Fields[]) {
          if (member.displayName === "Bob") {
            Object.assign(member, { memberId: "new", pubkey: evil.publicKey });
          }
        }
      }
      return [frame];
    };
    await behind(liar, ada);
    await ada.connected();
    await assert.rejects(
      ada.peer.send({ to: "Bob", body: "secret" }),
      (error) => error instanceof LocalError && error.code === "key_changed",
    );
  });
});
