/** What sessions show of themselves, what the others are told, and what a status does to waiting messages. */
import assert from "node:assert/strict";
import { brokerTest, type TestBroker, type TestMember } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };

async function shown(viewer: TestPeer, member: TestMember): Promise<Frame | undefined> {
  const { peers } = await viewer.request("list_peers") as { peers: Frame[] };
  return peers.find((peer) => peer.memberId === member.id);
}

async function sent(peer: TestPeer, to: string, priority: string): Promise<unknown> {
  return (await peer.request("send", { targetSpec: to, priority, ...SEALED })).messageId;
}

async function isHeld(sender: TestPeer, messageId: unknown): Promise<boolean> {
  const status = await sender.request("message_status", { messageId });
  return (status.recipients as Frame[])[0]?.state === "held";
}

brokerTest("a session shows its status, summary, profile and where it runs", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peer = await broker.join(ada!, {
    sessionId: "s1",
    cwd: "/work",
    hostname: "host",
    peerType: "ai",
    channel: "claude-code",
    model: "m1",
    groups: [{ name: "Eng/API", role: "lead" }],
  });
  const viewer = await broker.join(bob!);
  await peer.request("set_status", { status: "working", source: "hook" });
  await peer.request("set_summary", { summary: "Fixing it" });
  const ack = await peer.request("set_profile", { title: "Backend", capabilities: ["sql"] });
  assert.deepEqual([ack.type, ack.id, ack.messageId, ack.queued], ["ack", ack._reqId, "", false]);
  await peer.request("set_profile", { bio: "Hello" });
  const { connectedAt, ...rest } = (await shown(viewer, ada!))!;
  assert.ok(Math.abs(Date.parse(String(connectedAt)) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    pubkey: ada!.keys.publicKey,
    memberPubkey: ada!.keys.publicKey,
    memberId: ada!.id,
    memberRole: "owner",
    displayName: "Ada",
    status: "working",
    summary: "Fixing it",
    groups: [{ name: "Eng/API", role: "lead" }],
    sessionId: "s1",
    online: true,
    cwd: "/work",
    hostname: "host",
    peerRole: "control-plane",
    peerType: "ai",
    channel: "claude-code",
    model: "m1",
    visible: true,
    profile: { title: "Backend", capabilities: ["sql"], bio: "Hello" },
  });
  await peer.request("set_profile", {});
  await peer.request("set_summary", {});
  const cleared = await shown(viewer, ada!);
  assert.equal(cleared?.profile, undefined);
  assert.equal(cleared?.summary, null);
});

brokerTest(
  "a hidden session is listed to its own member only, and both changes are told",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const viewer = await broker.join(bob!);
    const peer = await broker.join(ada!);
    await peer.request("set_visible", { visible: false });
    assert.equal((await viewer.nextEvent("peer_hidden")).name, "Ada");
    assert.equal(await shown(viewer, ada!), undefined);
    assert.equal((await shown(peer, ada!))?.visible, false);
    assert.equal((await viewer.request("mesh_info")).peers, 1);
    await peer.request("set_visible", { visible: true });
    assert.equal((await viewer.nextEvent("peer_visible")).pubkey, ada!.keys.publicKey);
    assert.equal((await shown(viewer, ada!))?.displayName, "Ada");
  },
);

brokerTest(
  "groups are joined, given another role and left, whatever their case",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const peer = await broker.join(ada!);
    const joined = await peer.request("join_group", { name: "Eng/API", role: "lead" });
    assert.deepEqual(joined.groups, [{ name: "Eng/API", role: "lead" }]);
    const again = await peer.request("join_group", { name: "eng/api" });
    assert.deepEqual(again.groups, [{ name: "eng/api" }]);
    assert.equal((await peer.request("leave_group", { name: "eng" })).code, "not_found");
    assert.deepEqual((await peer.request("leave_group", { name: "ENG/api" })).groups, []);
    await peer.request("join_group", { name: "a" });
    const full = await peer.request("join_group", { name: "b" });
    assert.equal(full.code, "limit");
    assert.equal(full.limit, 1);
    const audits = await broker.sql.query<{ event_type: string; payload: object }>(
      "select event_type, payload from mesh.audit_log where event_type like 'group%' order by id",
    );
    const sessionId = `control-${ada!.id}`;
    assert.deepEqual(audits.map((row) => [row.event_type, row.payload]), [
      ["group_joined", { group: "Eng/API", sessionId }],
      ["group_joined", { group: "eng/api", sessionId }],
      ["group_left", { group: "ENG/api", sessionId }],
      ["group_joined", { group: "a", sessionId }],
    ]);
  },
  { limits: { groups: 1 } },
);

brokerTest(
  "a message for the next turn waits while its recipient works, and each end of it lets it go",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const sender = await broker.join(ada!);
    const recipient = await broker.join(bob!);
    const releases: [string, object, () => Promise<unknown>][] = [
      [
        "a person",
        { status: "working" },
        () => recipient.request("set_status", { status: "idle" }),
      ],
      [
        "dnd and back",
        { status: "dnd" },
        () => recipient.request("set_status", { status: "idle" }),
      ],
      ["a hook", { status: "working", source: "hook" }, async () => {
        const report = {
          status: "idle",
          sessionId: `control-${bob!.id}`,
          cwd: "/",
          pid: 1,
        } as const;
        await Promise.resolve(broker.context.status.hook(report));
      }],
    ];
    for (const [name, status, release] of releases) {
      await recipient.request("set_status", status);
      const next = await sent(sender, "Bob", "next");
      const now = await sent(sender, "Bob", "now");
      assert.equal((await recipient.nextMessage()).messageId, now, name);
      assert.equal(await isHeld(sender, next), true, name);
      await release();
      assert.equal((await recipient.nextMessage()).messageId, next, name);
      await recipient.request("client_ack", { brokerMessageIds: [now, next] });
    }
  },
);

brokerTest("a working that nobody renews becomes idle and lets messages go", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const sender = await broker.join(ada!);
  const recipient = await broker.join(bob!);
  await recipient.request("set_status", { status: "working", source: "hook" });
  const messageId = await sent(sender, "Bob", "next");
  assert.equal(await isHeld(sender, messageId), true);
  await until("its time is over", 5_000, async () => {
    broker.context.status.sweep();
    return (await shown(sender, bob!))?.status === "idle";
  });
  assert.equal((await recipient.nextMessage()).messageId, messageId);
}, { settings: { statusTtlMs: 50 } });

brokerTest("a hook's word for a session that is about to come is kept for it", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const report = { status: "working", sessionId: "s1", cwd: "/", pid: null } as const;
  assert.deepEqual(broker.context.status.hook(report), { presenceIds: [], pending: true });
  const viewer = await broker.join(bob!);
  await broker.join(ada!, { sessionId: "s1" });
  assert.equal((await shown(viewer, ada!))?.status, "working");
  const reached = broker.context.status.hook({ ...report, status: "idle" });
  assert.equal(reached.presenceIds.length, 1);
  assert.equal((await shown(viewer, ada!))?.status, "idle");
  const stranger = { status: "working", sessionId: null, cwd: "/elsewhere", pid: 99 } as const;
  assert.deepEqual(broker.context.status.hook(stranger), { presenceIds: [], pending: false });
});

brokerTest("few arrivals are told one by one, many as one", async (broker) => {
  const names = Array.from({ length: 32 }, (_, index) => `p${index}`);
  const [watcher, ...others] = await broker.mesh("Watcher", ...names);
  const peer = await broker.join(watcher!);
  await Promise.all(others.slice(0, 2).map((member) => broker.join(member)));
  const first = await Promise.all([1, 2].map(() => peer.nextEvent("peer_joined")));
  assert.deepEqual(first.map(({ name }) => name).sort(), ["p0", "p1"]);
  await joinTogether(broker, others.slice(2));
  let told = 0;
  while (told < others.length - 2) {
    const frame = await peer.next(({ event }) =>
      event === "peers_joined" || event === "peer_joined"
    );
    const { count = 1, peers } = frame.eventData as { count?: number; peers?: Frame[] };
    assert.ok(count === 1 || peers!.length === Math.min(count, 5));
    told += count;
  }
  assert.equal(told, others.length - 2);
});

/** Says all hellos in one moment. */
async function joinTogether(broker: TestBroker, members: readonly TestMember[]): Promise<void> {
  const sockets = await Promise.all(members.map(() => broker.socket()));
  await Promise.all(members.map((member, index) => sockets[index]!.hello(member)));
}

brokerTest(
  "a new name is told, stored, and taken over by sessions that had none of their own",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const viewer = await broker.join(bob!);
    const peer = await broker.join(ada!);
    const named = await broker.socket();
    await named.sessionHello(ada!, { sessionId: "s1", displayName: "Ada's desk" });
    await peer.request("set_display_name", { displayName: "Countess" });
    assert.deepEqual(await viewer.nextEvent("member_renamed"), {
      memberId: ada!.id,
      name: "Countess",
      pubkey: ada!.keys.publicKey,
    });
    assert.equal((await peer.request("mesh_info")).yourName, "Countess");
    assert.equal((await shown(viewer, ada!))?.displayName, "Ada's desk");
    await broker.restart();
    const back = await broker.join(ada!, { sessionId: "new" });
    assert.equal((await back.request("mesh_info")).yourName, "Countess");
  },
);
