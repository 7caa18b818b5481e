/** Peers that go silent, and peers that stop reading: both are let go, and their messages stay open. */
import assert from "node:assert/strict";
import { brokerTest } from "../support/broker.ts";
import { TestPeer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const NONCE = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

brokerTest("a client that answers no ping is cut, one that does stays", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const watcher = await broker.join(ada!);
  const silent = await TestPeer.connect(broker.socketUrl, { autoPong: false });
  await silent.hello(bob!);
  let pings = 0;
  watcher.ws.on("ping", () => pings += 1);
  assert.equal((await silent.closed).code, 1001);
  await until("its session is leased", 5_000, async () => {
    const { peers } = await watcher.request("list_peers") as { peers: { online: boolean }[] };
    return peers.some((peer) => !peer.online);
  });
  assert.ok(pings > 0);
  const metrics = await (await fetch(`${broker.broker.url}/metrics`)).text();
  assert.match(metrics, /broker_connections_cut_total\{reason="silent"\} 1/);
}, { limits: { deadAfterMs: 600 } });

brokerTest(
  "a slow reader is cut with its messages still open, and delays nobody",
  async (broker) => {
    const names = Array.from({ length: 200 }, (_, index) => `somebody ${index}`);
    const [ada, bob] = await broker.mesh("Ada", "Bob", ...names);
    const sender = await broker.join(ada!);
    const slow = await broker.join(bob!);
    slow.ws.pause();
    const input = { targetSpec: "Bob", priority: "now", nonce: NONCE, ciphertext: "c2VhbGVk" };
    const { messageId } = await sender.request("send", input);
    await until("the slow reader is cut", 20_000, async () => {
      for (let count = 0; count < 20; count += 1) slow.send({ type: "list_members" });
      const { peers } = await sender.request("list_peers") as { peers: Record<string, unknown>[] };
      return peers.some((peer) => peer.memberId === bob!.id && peer.online === false);
    });
    const again = await broker.join(bob!);
    assert.equal((await again.nextMessage()).messageId, messageId);
    const metrics = await (await fetch(`${broker.broker.url}/metrics`)).text();
    assert.match(metrics, /broker_connections_cut_total\{reason="slow_reader"\} 1/);
    await slow.cut();
  },
  { limits: { sendBufferBytes: 1_048_576 } },
);
