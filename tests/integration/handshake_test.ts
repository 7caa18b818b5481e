/** Hellos of both kinds against a real broker: what lets them in, and each code that keeps them out. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { PROTOCOL_REVISION } from "../../broker/api/revisions.ts";
import { makeAttestation, signHello, signSessionHello } from "../../crypto/hello_proof.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { markLeft, markRevoked } from "../../storage/sql/queries/members.ts";
import { brokerTest, type TestBroker } from "../support/broker.ts";
import { type Frame, helloFrame, sessionHelloFrame } from "../support/peer.ts";
import { until } from "../support/until.ts";

const MINUTE_MS = 60_000;

/** Sends a hello that must be refused; returns its error and checks that the socket is closed for it. */
async function refused(
  broker: TestBroker,
  frame: object,
  code: string,
  closing: { code: number; reason: string } = { code: 1008, reason: code },
): Promise<Frame> {
  const peer = await broker.socket();
  peer.send({ ...frame, _reqId: "r1" });
  const answer = await peer.next(() => true);
  assert.equal(answer.type, "error", JSON.stringify(answer));
  assert.equal(answer.code, code);
  assert.equal(answer._reqId, "r1");
  assert.deepEqual(await peer.closed, closing);
  return answer;
}

brokerTest("a hello is answered with the member, the mesh and the limits", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.socket();
  const ack = await peer.hello(ada!, { displayName: "Ada's agent", _reqId: "h1" });
  assert.equal(ack._reqId, "h1");
  assert.equal(ack.memberId, ada!.id);
  assert.equal(ack.memberRole, "owner");
  assert.equal(ack.memberDisplayName, "Ada's agent");
  assert.equal(ack.protocolVersion, PROTOCOL_REVISION);
  const mesh = ack.mesh as Frame;
  assert.equal(mesh.id, ada!.meshId);
  assert.equal(mesh.ownerPubkey, ada!.keys.publicKey);
  assert.equal(mesh.publicUrl, broker.broker.url);
  assert.equal((ack.limits as Frame).sendBurst, 120);
  assert.equal(ack.restored, undefined);
});

brokerTest("a hello is refused with the code of what is wrong", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const member = ada!;
  const { secretKey } = member.keys;
  const now = Date.now();
  const stranger = generateKeyPair();
  const signed = (timestamp: number) => ({
    timestamp,
    signature: signHello({ meshId: member.meshId, memberId: member.id, timestamp }, secretKey),
  });
  await refused(broker, helloFrame(member, signed(now - MINUTE_MS - 2_000)), "timestamp_skew");
  await refused(broker, helloFrame(member, signed(now + MINUTE_MS + 5_000)), "timestamp_skew");
  await refused(broker, { ...helloFrame(member), pubkey: "abc" }, "malformed");
  await refused(broker, { ...helloFrame(member), pid: "1" }, "malformed");
  await refused(broker, { ...helloFrame(member), sessionId: "" }, "malformed");
  await refused(broker, { ...helloFrame(member), cwd: "/a\0b" }, "malformed");
  await refused(broker, { ...helloFrame(member), sessionId: "\ud800" }, "malformed");
  await refused(broker, { ...helloFrame(member), displayName: "a\u202eb" }, "malformed");
  await refused(broker, { ...helloFrame(member), sessionPubkey: "XYZ" }, "bad_session_pubkey");
  await refused(broker, { ...helloFrame(member), cwd: 7 }, "malformed");
  await refused(broker, { ...helloFrame(member), memberId: "another" }, "bad_signature");
  await refused(broker, { ...helloFrame(member), signature: "0".repeat(128) }, "bad_signature");
  const foreign = { ...member, keys: stranger };
  await refused(broker, helloFrame(foreign), "unauthorized");
});

brokerTest(
  "a hello for a mesh that is unknown, archived or another's is unauthorized",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const [eve] = await broker.mesh("Eve");
    const [old] = await broker.mesh("Old");
    await broker.sql.query("update mesh.mesh set archived_at = now() where id = $1", [old!.meshId]);
    const elsewhere = { ...ada!, meshId: eve!.meshId };
    await refused(broker, helloFrame(elsewhere), "unauthorized");
    await refused(broker, helloFrame({ ...ada!, meshId: "nowhere" }), "unauthorized");
    await refused(broker, helloFrame(old!), "unauthorized");
  },
);

brokerTest("hostile group names are refused before anything is stored", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  for (const name of ["'); drop table mesh.member; --", "a b", "a//b", "/a", "a/", "ä", "@a"]) {
    const answer = await refused(broker, helloFrame(ada!, { groups: [{ name }] }), "malformed");
    assert.equal(answer.field, "groups.0.name");
  }
});

brokerTest("a banned member is told so with 4002, one that left is unknown", async (broker) => {
  const [, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  for (
    const statement of [
      markRevoked(bob!.meshId, bob!.id, Date.now()),
      markLeft(cyd!.meshId, cyd!.id, Date.now()),
    ]
  ) await broker.sql.query(statement.text, statement.params);
  await refused(broker, helloFrame(bob!), "revoked", { code: 4002, reason: "banned" });
  await refused(broker, helloFrame(cyd!), "unauthorized");
});

brokerTest("a signed hello is accepted once", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const frame = helloFrame(ada!);
  const peer = await broker.socket();
  peer.send(frame);
  await peer.nextOf("hello_ack");
  await refused(broker, frame, "replayed");
  const upper = { ...frame, signature: (frame as { signature: string }).signature.toUpperCase() };
  await refused(broker, upper, "replayed");
});

brokerTest("a session key in a hello needs its proof", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const session = generateKeyPair();
  const timestamp = Date.now();
  const { meshId, keys } = ada!;
  const sessionPubkey = session.publicKey;
  await refused(broker, helloFrame(ada!, { sessionPubkey }), "session_unproven");
  const parentAttestation = makeAttestation(
    { meshId, sessionPubkey, expiresAt: timestamp + MINUTE_MS },
    keys.secretKey,
  );
  await refused(broker, helloFrame(ada!, { sessionPubkey, parentAttestation }), "session_unproven");
  const sessionSignature = signSessionHello(
    { meshId, parentMemberPubkey: keys.publicKey, timestamp },
    session.secretKey,
  );
  const proven = { sessionPubkey, parentAttestation, timestamp };
  await refused(
    broker,
    helloFrame(ada!, { ...proven, sessionSignature: "0".repeat(128) }),
    "bad_signature",
  );
  const peer = await broker.join(ada!, { ...proven, timestamp, sessionSignature });
  const { peers } = await peer.request("list_peers") as { peers: Frame[] };
  assert.deepEqual(peers.map((each) => [each.pubkey, each.peerRole]), [[sessionPubkey, "session"]]);
});

brokerTest(
  "with CLAUDEMESH_COMPAT=1 a session key without proof is taken, but never somebody else's",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const { publicKey: sessionPubkey } = generateKeyPair();
    await broker.join(ada!, { sessionPubkey, capabilities: [], sessionId: "a" });
    await refused(broker, helloFrame(bob!, { sessionPubkey, sessionId: "b" }), "session_taken");
    const stolen = helloFrame(bob!, { sessionPubkey: ada!.keys.publicKey, sessionId: "b" });
    await refused(broker, stolen, "session_taken");
  },
  { settings: { compat: true } },
);

brokerTest("a session_hello is refused with the code of what is wrong", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const session = generateKeyPair();
  const { meshId, keys } = ada!;
  const now = Date.now();
  const frame = (overrides: object) => ({ ...sessionHelloFrame(ada!, session), ...overrides });
  const attested = (expiresAt: number, mesh = meshId) =>
    makeAttestation(
      { meshId: mesh, sessionPubkey: session.publicKey, expiresAt },
      keys.secretKey,
    );
  const { meshSignature: _unbound, ...unbound } = attested(now + MINUTE_MS);
  const cases: [object, string][] = [
    [{ sessionPubkey: "xyz" }, "bad_session_pubkey"],
    [{ parentMemberPubkey: "xyz" }, "bad_parent_pubkey"],
    [{ parentMemberPubkey: bob!.keys.publicKey }, "attestation_mismatch"],
    [{ parentAttestation: attested(now - 1) }, "expired"],
    [{ parentAttestation: attested(now + 25 * 60 * MINUTE_MS) }, "ttl_too_long"],
    [{ parentAttestation: attested(now + MINUTE_MS, "another") }, "bad_signature"],
    [{ parentAttestation: unbound }, "malformed"],
    [{ timestamp: now - 2 * MINUTE_MS }, "timestamp_skew"],
    [{ signature: "0".repeat(128) }, "bad_signature"],
    [{ parentMemberId: bob!.id }, "parent_member_id_mismatch"],
  ];
  for (const [overrides, code] of cases) await refused(broker, frame(overrides), code);
  const good = frame({});
  const peer = await broker.socket();
  peer.send(good);
  await peer.nextOf("hello_ack");
  await refused(broker, good, "replayed");
});

brokerTest("a second hello on a connection is refused and changes nothing", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peer = await broker.join(ada!);
  peer.send({ ...helloFrame(bob!), _reqId: "again" });
  const answer = await peer.next((frame) => frame._reqId === "again");
  assert.equal(answer.code, "already_hello");
  const { yourName } = await peer.request("mesh_info");
  assert.equal(yourName, "Ada");
});

brokerTest("whoever says no hello in time is let go", async (broker) => {
  const peer = await broker.socket();
  assert.equal((await peer.nextOf("error")).code, "hello_timeout");
  assert.deepEqual(await peer.closed, { code: 1008, reason: "hello_timeout" });
}, { limits: { helloDeadlineMs: 50 } });

brokerTest(
  "an address is refused after too many bad hellos, good ones included",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const bad = { ...helloFrame(ada!), signature: "0".repeat(128) };
    await refused(broker, bad, "bad_signature");
    await refused(broker, bad, "bad_signature");
    const answer = await refused(broker, helloFrame(ada!), "rate_limited");
    assert.equal(answer.limit, 2);
    assert.ok(Number(answer.retry_after_ms) > 0);
  },
  { limits: { failedHellosPerMinute: 2 } },
);

brokerTest("an address may have so many sockets without a hello", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const idle = await broker.socket();
  await broker.socket();
  await assert.rejects(broker.socket(), /429/);
  await idle.close();
  const peer = await until("a place is free", 5_000, () => broker.socket().catch(() => null));
  await peer.hello(ada!);
  // Who has said hello does not count any longer.
  await broker.socket();
}, { limits: { unauthenticatedPerAddress: 2 } });

brokerTest("clients that go away during the upgrade give their places back", async (broker) => {
  const request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
    "Sec-WebSocket-Version: 13\r\n\r\n";
  for (let count = 0; count < 60; count += 1) {
    const client = connect(broker.broker.port, "127.0.0.1");
    await once(client, "connect");
    client.write(request);
    client.resetAndDestroy();
  }
  let opened = 0;
  await until("all places are free", 10_000, async () => {
    opened += await broker.socket().then(() => 1, () => 0);
    return opened === 3;
  });
}, { limits: { unauthenticatedPerAddress: 3, helloDeadlineMs: 500 } });

brokerTest(
  "a full mesh and a full broker refuse with capacity, and a close makes room",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [eve] = await broker.mesh("Eve");
    const first = await broker.join(ada!);
    const full = await refused(broker, helloFrame(bob!), "capacity");
    assert.equal(full.limit, 1);
    await broker.join(eve!);
    const [fay] = await broker.mesh("Fay");
    assert.equal((await refused(broker, helloFrame(fay!), "capacity")).limit, 2);
    await first.close();
    await until("there is room", 5_000, () => broker.join(bob!).catch(() => null));
  },
  { limits: { connectionsPerMesh: 1, connections: 2 } },
);

brokerTest("pages of other sites and plain requests get no socket", async (broker) => {
  const url = `${broker.broker.url}/ws`;
  const plain = await fetch(url);
  assert.equal(plain.status, 400);
  assert.equal((await plain.json()).error, "invalid_argument");
  const { WebSocket } = await import("ws");
  const ws = new WebSocket(broker.socketUrl, { origin: "https://evil.example" });
  const { promise, resolve } = Promise.withResolvers<Error>();
  ws.on("error", resolve);
  assert.match(String(await promise), /403/);
});
