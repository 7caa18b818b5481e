/** Sessions through lost connections, restarts and rivals: what comes back silently, what is told, what is kept. */
import assert from "node:assert/strict";
import { generateKeyPair } from "../../crypto/sign.ts";
import { brokerTest, type TestBroker, type TestMember } from "../support/broker.ts";
import { type Frame, helloFrame, sessionHelloFrame, type TestPeer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const SHORT_LEASE = { limits: { leaseMs: 50 } };

async function peersSeenBy(peer: TestPeer): Promise<Frame[]> {
  const { peers } = await peer.request("list_peers") as { peers: Frame[] };
  return peers;
}

/** Waits until the broker has noticed that a session's connection is gone. */
async function untilOffline(watcher: TestPeer, sessionId: string): Promise<void> {
  await until(`${sessionId} is offline`, 5_000, async () => {
    const peers = await peersSeenBy(watcher);
    return peers.find((peer) => peer.sessionId === sessionId)?.online === false;
  });
}

/** Events that `peer` got until now, but for its own arrival. */
async function newsOf(
  broker: TestBroker,
  watcher: TestPeer,
  marker: TestMember,
): Promise<unknown[]> {
  // Comings of a moment are told together: when the marker's is told, everything before it has been.
  await broker.join(marker);
  await watcher.next((frame) =>
    frame.event === "peer_joined" && (frame.eventData as Frame).name === marker.displayName
  );
  return watcher.frames.filter((frame) => frame.subtype === "system").map((frame) => frame.event);
}

brokerTest(
  "a session that comes back within its lease is no news and keeps its presence",
  async (broker) => {
    const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
    const session = generateKeyPair();
    const watcher = await broker.join(ada!);
    const first = await broker.socket();
    const { presenceId } = await first.sessionHello(bob!, { sessionId: "s1" }, session);
    await watcher.nextEvent("peer_joined");
    await first.request("set_status", { status: "dnd" });
    await first.request("join_group", { name: "eng" });
    await first.cut();
    const leased = (await peersSeenBy(watcher)).find((peer) => peer.sessionId === "s1");
    assert.equal(leased?.online, false);
    const second = await broker.socket();
    const ack = await second.sessionHello(bob!, { sessionId: "s1" }, session);
    assert.equal(ack.presenceId, presenceId);
    const back = (await peersSeenBy(watcher)).find((peer) => peer.sessionId === "s1");
    assert.equal(back?.online, true);
    assert.equal(back?.status, "dnd");
    assert.deepEqual(back?.groups, [{ name: "eng" }]);
    assert.deepEqual(await newsOf(broker, watcher, cyd!), []);
  },
);

brokerTest("a lease that ends is told, and the return after it too", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const watcher = await broker.join(ada!);
  const session = generateKeyPair();
  const first = await broker.socket();
  await first.sessionHello(bob!, { sessionId: "s1", displayName: "Bobby" }, session);
  await watcher.nextEvent("peer_joined");
  await first.request("join_group", { name: "eng", role: "lead" });
  await first.request("set_summary", { summary: "Fixing it" });
  await first.cut();
  const left = await watcher.nextEvent("peer_left");
  assert.deepEqual(left, { name: "Bobby", pubkey: session.publicKey });
  assert.deepEqual((await peersSeenBy(watcher)).map((peer) => peer.displayName), ["Ada"]);
  const second = await broker.socket();
  const ack = await second.sessionHello(bob!, { sessionId: "s1" }, session);
  assert.equal(ack.restored, true);
  assert.equal(ack.lastSummary, "Fixing it");
  assert.deepEqual(ack.restoredGroups, [{ name: "eng", role: "lead" }]);
  const returned = await watcher.nextEvent("peer_returned");
  assert.equal(returned.summary, "Fixing it");
  assert.deepEqual(returned.groups, [{ name: "eng", role: "lead" }]);
}, SHORT_LEASE);

brokerTest("a new connection of a session replaces the old one", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const session = generateKeyPair();
  const first = await broker.socket();
  await first.sessionHello(ada!, { sessionId: "s1" }, session);
  const second = await broker.socket();
  await second.sessionHello(ada!, { sessionId: "s1" }, session);
  assert.deepEqual(await first.closed, { code: 1000, reason: "session_replaced" });
  const watcher = await broker.join(bob!);
  const shown = (await peersSeenBy(watcher)).filter((peer) => peer.memberId === ada!.id);
  assert.deepEqual(shown.map((peer) => [peer.sessionId, peer.online]), [["s1", true]]);
});

brokerTest(
  "a session that comes back with another key is told under the new one",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const watcher = await broker.join(ada!);
    const [before, after] = [generateKeyPair(), generateKeyPair()];
    const first = await broker.socket();
    await first.sessionHello(bob!, { sessionId: "s1" }, before);
    await watcher.nextEvent("peer_joined");
    const second = await broker.socket();
    await second.sessionHello(bob!, { sessionId: "s1" }, after);
    assert.equal((await watcher.nextEvent("peer_returned")).pubkey, after.publicKey);
    assert.deepEqual(
      (await peersSeenBy(watcher)).filter((peer) => peer.sessionId === "s1").map((peer) =>
        peer.pubkey
      ),
      [after.publicKey],
    );
  },
);

brokerTest("another member's session id or key is refused, live and leased", async (broker) => {
  const [ada, bob, eve] = await broker.mesh("Ada", "Bob", "Eve");
  const watcher = await broker.join(ada!);
  const session = generateKeyPair();
  const victim = await broker.socket();
  await victim.sessionHello(bob!, { sessionId: "s1" }, session);
  const attempts = [
    () => sessionHelloFrame(eve!, session, { sessionId: "other" }),
    () => sessionHelloFrame(eve!, generateKeyPair(), { sessionId: "s1" }),
    () => helloFrame(eve!, { sessionId: "s1" }),
  ];
  for (const live of [true, false]) {
    if (!live) {
      await victim.cut();
      await untilOffline(watcher, "s1");
    }
    for (const attempt of attempts) {
      const thief = await broker.socket();
      thief.send(attempt());
      assert.equal((await thief.nextOf("error")).code, "session_taken");
      assert.equal((await thief.closed).code, 1008);
    }
  }
  const again = await broker.socket();
  await again.sessionHello(bob!, { sessionId: "s1" }, session);
});

brokerTest("the same session id in another mesh is another session", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [eve] = await broker.mesh("Eve");
  const one = await broker.join(ada!, { sessionId: "s1" });
  await broker.join(eve!, { sessionId: "s1" });
  assert.equal((await peersSeenBy(one)).length, 1);
});

brokerTest("sessions of one member keep what is theirs", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const [one, two] = [await broker.socket(), await broker.socket()];
  await one.sessionHello(ada!, { sessionId: "s1" });
  await two.sessionHello(ada!, { sessionId: "s2" });
  await one.request("join_group", { name: "eng" });
  await one.request("set_profile", { title: "Backend" });
  const shown = new Map((await peersSeenBy(one)).map((peer) => [peer.sessionId, peer]));
  assert.deepEqual(shown.get("s1")?.groups, [{ name: "eng" }]);
  assert.deepEqual(shown.get("s1")?.profile, { title: "Backend" });
  assert.deepEqual(shown.get("s2")?.groups, []);
  assert.equal(shown.get("s2")?.profile, undefined);
});

brokerTest("after a restart sessions come back silently with all they had", async (broker) => {
  const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  const session = generateKeyPair();
  const first = await broker.socket();
  await first.sessionHello(bob!, { sessionId: "s1", cwd: "/work", model: "m" }, session);
  await first.request("set_status", { status: "dnd" });
  await first.request("set_summary", { summary: "Fixing it" });
  await first.request("set_profile", { title: "Backend" });
  await first.request("join_group", { name: "eng" });
  await first.request("set_visible", { visible: false });
  await first.request("set_visible", { visible: true });
  await broker.restart();
  assert.deepEqual(await first.closed, { code: 1001, reason: "shutting down" });
  const watcher = await broker.join(ada!);
  const [leased] = await peersSeenBy(watcher);
  assert.deepEqual(
    [leased?.sessionId, leased?.online, leased?.status, leased?.summary, leased?.cwd],
    ["s1", false, "dnd", "Fixing it", "/work"],
  );
  const second = await broker.socket();
  await second.sessionHello(bob!, { sessionId: "s1", cwd: "/work" }, session);
  const back = (await peersSeenBy(watcher)).find((peer) => peer.sessionId === "s1");
  assert.deepEqual(back?.groups, [{ name: "eng" }]);
  assert.deepEqual(back?.profile, { title: "Backend" });
  assert.equal(back?.online, true);
  assert.deepEqual(await newsOf(broker, watcher, cyd!), []);
});

brokerTest("a session that does not come back after a restart leaves", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const gone = await broker.socket();
  const session = generateKeyPair();
  await gone.sessionHello(bob!, { sessionId: "s1" }, session);
  await broker.restart();
  const watcher = await broker.join(ada!);
  assert.equal((await watcher.nextEvent("peer_left")).pubkey, session.publicKey);
  assert.deepEqual((await peersSeenBy(watcher)).map((peer) => peer.sessionId), [
    `control-${ada!.id}`,
  ]);
  // What it had is kept for its return, and for its member's share of group messages.
  const again = await broker.socket();
  assert.equal((await again.sessionHello(bob!, { sessionId: "s1" }, session)).restored, true);
}, { limits: { leaseMs: 1_000 } });

brokerTest("counters are not doubled by reconnects, restarts and reports", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const session = generateKeyPair();
  const counted = async (peer: TestPeer) => {
    const [shown] = await peersSeenBy(peer);
    return (shown?.stats as Frame | undefined)?.toolCalls;
  };
  const first = await broker.socket();
  await first.sessionHello(ada!, { sessionId: "s1", pid: 7 }, session);
  await first.request("set_stats", { stats: { toolCalls: 5 } });
  await first.request("set_stats", { stats: { toolCalls: 6 } });
  assert.equal(await counted(first), 6);
  await broker.restart();
  const second = await broker.socket();
  await second.sessionHello(ada!, { sessionId: "s1", pid: 7 }, session);
  await second.request("set_stats", { stats: { toolCalls: 7 } });
  assert.equal(await counted(second), 7);
  // Another process starts counting at nothing: the sum goes on.
  await second.cut();
  const third = await broker.socket();
  await third.sessionHello(ada!, { sessionId: "s1", pid: 8 }, session);
  await third.request("set_stats", { stats: { toolCalls: 1 } });
  assert.equal(await counted(third), 8);
});

brokerTest(
  "an agent's control connection stands for its member only while no session does",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const watcher = await broker.join(ada!);
    const roles = async () =>
      (await peersSeenBy(watcher)).filter((peer) => peer.memberId === bob!.id)
        .map((peer) => peer.peerRole);
    await broker.join(bob!);
    assert.deepEqual(await roles(), ["control-plane"]);
    const session = await broker.socket();
    await session.sessionHello(bob!);
    assert.deepEqual(await roles(), ["session"]);
  },
);

brokerTest("what is known of a session is on disk before the broker ends", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!, {
    hostname: "h",
    peerType: "ai",
    capabilities: ["acks", "body2"],
  });
  await peer.request("set_summary", { summary: "x" });
  await broker.restart();
  const [presence] = await broker.sql.query("select * from mesh.presence");
  assert.equal(presence?.summary, "x");
  assert.equal(presence?.hostname, "h");
  assert.equal(presence?.disconnected_at, null);
  const [member] = await broker.sql.query("select body_version, last_seen_at from mesh.member");
  assert.equal(member?.body_version, 2);
  assert.ok(member?.last_seen_at instanceof Date);
  const audits = await broker.sql.query("select event_type, actor_member_id from mesh.audit_log");
  assert.deepEqual(audits, [{ event_type: "peer_joined", actor_member_id: ada!.id }]);
});
