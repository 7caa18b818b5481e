/** What owners and admins do about members, what members grant each other, and what stays of those who are gone. */
import assert from "node:assert/strict";
import { brokerTest, type TestBroker } from "../support/broker.ts";
import { type Frame, helloFrame, type TestPeer } from "../support/peer.ts";

const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };

async function audited(broker: TestBroker, event: string): Promise<unknown[]> {
  const rows = await broker.sql.query<{ payload: unknown }>(
    "select payload from mesh.audit_log where event_type = $1 order by id",
    [event],
  );
  return rows.map(({ payload }) => payload);
}

async function send(peer: TestPeer, targetSpec: string): Promise<Frame> {
  return await peer.request("send", { targetSpec, priority: "now", ...SEALED });
}

brokerTest(
  "a kick closes all of a member's connections with 4001 and asks for a new key",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", { name: "Bob", role: "admin" }, "Cyd");
    const [owner, admin] = [await broker.join(ada!), await broker.join(bob!)];
    const control = await broker.join(cyd!);
    const session = await broker.socket();
    await session.sessionHello(cyd!);
    await owner.next(({ eventData }) => (eventData as Frame)?.name === "Cyd");
    const answer = await admin.request("kick", { target: "cyd" });
    assert.deepEqual(answer.kicked, ["Cyd"]);
    for (const peer of [control, session]) {
      assert.deepEqual(await peer.closed, { code: 4001, reason: "kicked" });
    }
    assert.deepEqual(await owner.nextEvent("rekey_needed"), { epoch: 1, reason: "member_kicked" });
    assert.equal((await owner.nextEvent("peer_left")).name, "Cyd");
    assert.deepEqual(await audited(broker, "member_kicked"), [{ memberIds: [cyd!.id] }]);
    // It is still a member and may come back, without the next key.
    await broker.join(cyd!);
    await broker.restart();
    const again = await broker.join(ada!);
    assert.equal((await again.request("mesh_info")).rekeyNeeded, true);
    const [row] = await broker.sql.query("select kicked_at from mesh.member where id = $1", [
      cyd!.id,
    ]);
    assert.ok(row?.kicked_at instanceof Date);
  },
);

brokerTest(
  "disconnect closes with 1000, and everybody may be meant but the caller and the owner",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", { name: "Bob", role: "admin" }, "Cyd");
    const [owner, admin] = [await broker.join(ada!), await broker.join(bob!)];
    const cydPeer = await broker.join(cyd!);
    assert.deepEqual((await admin.request("disconnect", { all: true })).affected, ["Cyd"]);
    assert.deepEqual(await cydPeer.closed, { code: 1000, reason: "disconnected" });
    assert.deepEqual((await owner.request("kick", { stale: 3_600_000 })).kicked, []);
    assert.equal((await owner.request("mesh_info")).rekeyNeeded, false);
    for (const input of [{}, { all: true, stale: 5 }, { target: "Cyd", all: true }]) {
      assert.equal((await owner.request("kick", input)).code, "invalid_argument");
    }
  },
);

brokerTest(
  "a ban ends sessions and deliveries, and the key cannot come back until it is lifted",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const owner = await broker.join(ada!);
    const peer = await broker.join(bob!);
    const answer = await owner.request("ban", { target: bob!.keys.publicKey, reason: "spam" });
    assert.equal(answer.banned, "Bob");
    assert.deepEqual(await peer.closed, { code: 4002, reason: "banned" });
    assert.deepEqual(await owner.nextEvent("member_removed"), {
      memberId: bob!.id,
      name: "Bob",
      pubkey: bob!.keys.publicKey,
      reason: "banned",
    });
    assert.deepEqual(await owner.nextEvent("rekey_needed"), { epoch: 1, reason: "member_banned" });
    assert.deepEqual(await audited(broker, "member_banned"), [{
      memberId: bob!.id,
      reason: "spam",
    }]);
    assert.equal((await send(owner, "Bob")).code, "not_found");
    const { bans } = await owner.request("list_bans") as { bans: Frame[] };
    assert.deepEqual(bans.map(({ name, pubkey }) => [name, pubkey]), [[
      "Bob",
      bob!.keys.publicKey,
    ]]);
    for (const restarted of [false, true]) {
      if (restarted) await broker.restart();
      const again = await broker.socket();
      again.send(helloFrame(bob!));
      assert.equal((await again.nextOf("error")).code, "revoked");
      assert.deepEqual(await again.closed, { code: 4002, reason: "banned" });
    }
    const back = await broker.join(ada!);
    assert.equal((await back.request("ban", { target: "Bob" })).code, "not_found");
    assert.equal((await back.request("unban", { target: "Bob" })).unbanned, "Bob");
    assert.deepEqual(await audited(broker, "member_unbanned"), [{ memberId: bob!.id }]);
    // Its former copies of the key are not vouched for any more: a person hands it the present one.
    assert.deepEqual(await back.nextEvent("key_requested"), {
      memberId: bob!.id,
      name: "Bob",
      proven: false,
    });
    await broker.join(bob!);
  },
);

brokerTest(
  "nobody removes the owner, and nobody removes themselves by accident",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", { name: "Bob", role: "admin" });
    const [owner, admin] = [await broker.join(ada!), await broker.join(bob!)];
    for (const type of ["kick", "disconnect", "ban"]) {
      for (const target of ["Ada", ada!.keys.publicKey]) {
        assert.equal((await admin.request(type, { target })).code, "forbidden");
      }
      assert.equal((await admin.request(type, { target: "Bob" })).code, "invalid_argument");
    }
    assert.equal((await owner.request("leave_mesh")).code, "conflict");
    assert.equal((await owner.request("mesh_info")).members, 2);
    assert.deepEqual(await audited(broker, "member_kicked"), []);
  },
);

brokerTest("a member is named in full or not at all", async (broker) => {
  const [ada, bob, twin] = await broker.mesh("Ada", "Bob", "BOB");
  const owner = await broker.join(ada!);
  const key = bob!.keys.publicKey;
  for (const target of ["Bo", key.slice(0, 16), key.slice(0, 63), "%", "*", "@all", "nobody"]) {
    assert.equal((await owner.request("ban", { target })).code, "not_found", target);
  }
  const unclear = await owner.request("ban", { target: "bob" });
  assert.equal(unclear.code, "ambiguous_target");
  assert.deepEqual(
    unclear.candidates,
    [bob!, twin!].map((member) => `${member.displayName} (${member.keys.publicKey.slice(0, 12)})`),
  );
  assert.equal((await owner.request("ban", { target: key.toUpperCase() })).banned, "Bob");
});

brokerTest("a member that leaves is gone at once and unknown afterwards", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const owner = await broker.join(ada!);
  const peer = await broker.join(bob!);
  assert.equal((await peer.request("leave_mesh")).memberId, bob!.id);
  assert.deepEqual(await peer.closed, { code: 1000, reason: "left" });
  assert.equal((await owner.nextEvent("member_removed")).reason, "left");
  assert.equal((await owner.nextEvent("rekey_needed")).reason, "member_left");
  const { members } = await owner.request("list_members") as { members: Frame[] };
  assert.deepEqual(members.map((member) => member.displayName), ["Ada"]);
  assert.deepEqual(await audited(broker, "member_left"), [{ memberId: bob!.id }]);
  const again = await broker.socket();
  again.send(helloFrame(bob!));
  assert.equal((await again.nextOf("error")).code, "unauthorized");
});

brokerTest(
  "grants are kept by member key, survive a restart and can be taken back",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    let [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
    const from = ada!.keys.publicKey;
    const set = await peer.request("set_grants", { grants: { [from]: ["read", "read"] } });
    assert.deepEqual(set.grants, { [from]: ["read"] });
    assert.deepEqual(await audited(broker, "grants_set"), [{ of: [from] }]);
    await broker.restart();
    [owner, peer] = [await broker.join(ada!), await broker.join(bob!)];
    assert.deepEqual((await peer.request("get_grants")).grants, { [from]: ["read"] });
    // A blocked message looks sent.
    assert.equal((await send(owner, "Bob")).type, "ack");
    assert.deepEqual((await peer.request("set_grants", { grants: { [from]: null } })).grants, {});
    const { messageId } = await send(owner, "Bob");
    assert.equal((await peer.nextMessage()).messageId, messageId);
  },
);

brokerTest("the list of members says who is here and what they can read", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", { name: "Bob", groups: [{ name: "eng" }] });
  const owner = await broker.join(ada!, { capabilities: ["acks"] });
  const before = await owner.request("list_members") as { members: Frame[] };
  const offline = before.members.find((member) => member.memberId === bob!.id);
  assert.deepEqual(
    [offline?.online, offline?.sessions, offline?.lastSeenAt, offline?.bodyVersion],
    [false, 0, null, 1],
  );
  const session = await broker.socket();
  await session.sessionHello(bob!);
  const { members } = await owner.request("list_members") as { members: Frame[] };
  const shown = members.find((member) => member.memberId === bob!.id);
  assert.deepEqual(
    [shown?.online, shown?.sessions, shown?.bodyVersion, shown?.groups, shown?.hasMeshKey],
    [true, 1, 2, [{ name: "eng" }], false],
  );
  const info = await owner.request("mesh_info");
  assert.deepEqual([info.members, info.peers, info.groups], [2, 2, ["@eng"]]);
});
