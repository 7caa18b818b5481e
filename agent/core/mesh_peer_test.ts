/** A joined mesh whose files or broker are not as they should be. */
import assert from "node:assert/strict";
import { groups } from "../../broker/api/groups.ts";
import { presence } from "../../broker/api/presence.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { listedMember } from "../../tests/support/listed_member.ts";
import { helloAckFrame, StubBroker } from "../../tests/support/stub_broker.ts";
import { Home } from "../home/home.ts";
import { homePaths } from "../home/paths.ts";
import { LocalError } from "./local_error.ts";
import { MeshPeer } from "./mesh_peer.ts";
import type { MeshPeerState } from "./mesh_peer_api.ts";

const KEYS = generateKeyPair();

interface Stage {
  readonly home: Home;
  readonly peer: MeshPeer;
  readonly broker: StubBroker;
  until(holds: (state: MeshPeerState) => boolean): Promise<MeshPeerState>;
}

async function onStage(run: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const broker = await StubBroker.greeting();
  const home = new Home(
    homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined),
  );
  home.writeMemberKey("mesh1", KEYS);
  const peer = new MeshPeer({
    home,
    mesh: {
      meshId: "mesh1",
      slug: "team",
      name: "Team",
      memberId: "member1",
      pubkey: KEYS.publicKey,
      brokerUrl: broker.url.replace("ws:", "http:").replace("/ws", ""),
      role: "member",
      ownerPubkey: generateKeyPair().publicKey,
      custody: "members",
      displayName: "Ada",
      joinedAt: "2026-11-21T10:00:00.000Z",
    },
  });
  const until = (holds: (state: MeshPeerState) => boolean) =>
    new Promise<MeshPeerState>((resolve) => {
      if (holds(peer.state)) return resolve(peer.state);
      const stop = peer.on((event) => {
        if (event.kind !== "state" || !holds(event.state)) return;
        stop();
        resolve(event.state);
      });
    });
  try {
    await run({ home, peer, broker, until });
  } finally {
    await peer.stop();
    await broker.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a key that others may read keeps the mesh stopped, with the fix, until it is mended", () =>
  onStage(async ({ home, peer, until }) => {
    const path = `${home.paths.keysDir}/mesh1.key`;
    Deno.chmodSync(path, 0o644);
    peer.start();
    assert.equal(peer.state.stopped, true);
    assert.match(peer.state.reason!, /can be read by others/);
    assert.match(peer.state.hint!, /chmod 600/);
    await assert.rejects(peer.send({ to: "*", body: "x" }), /can be read by others/);
    assert.throws(() => peer.list(), /can be read by others/);
    peer.mend();
    assert.equal(peer.state.stopped, true);
    Deno.chmodSync(path, 0o600);
    peer.mend();
    await until((state) => state.connected);
    assert.equal(peer.state.reason, null);
  }));

Deno.test("the key of another mesh in the file is refused", () =>
  onStage(async ({ home, peer }) => {
    home.writeMemberKey("mesh1", generateKeyPair());
    peer.start();
    assert.match(peer.state.reason!, /not the one it was joined with/);
    await peer.stop();
  }));

Deno.test("a damaged outbox is told and does not keep the mesh from working", () =>
  onStage(async ({ home, peer, until }) => {
    Deno.writeTextFileSync(`${home.stateDir("mesh1")}/outbox.db`, "junk ".repeat(1_000));
    peer.start();
    const state = await until((each) => each.connected);
    assert.match(state.problems[0]!, /outbox was damaged/);
    assert.deepEqual(peer.outbox(), []);
  }));

Deno.test("an answer of another shape than declared is refused, not passed on", () =>
  onStage(async ({ peer, broker, until }) => {
    peer.start();
    await until((state) => state.connected);
    const [connection] = broker.connections;
    connection!.socket.on("message", (data) => {
      const { type, _reqId } = JSON.parse(data.toString());
      if (type === "join_group") connection!.send({ type: "group_joined", groups: "all", _reqId });
      if (type === "set_summary") connection!.send({ type: "ack", summary: "x", _reqId });
    });
    const isBadAnswer = (error: unknown) =>
      error instanceof LocalError && error.code === "bad_answer";
    await assert.rejects(peer.call(groups.joinGroup, { name: "eng" }), isBadAnswer);
    await assert.rejects(peer.call(presence.setSummary, { summary: "x" }), isBadAnswer);
  }));

Deno.test("before it has ever been connected, a mesh knows nobody and sends to no group", () =>
  onStage(async ({ peer, broker }) => {
    broker.onConnection = (connection) => connection.socket.close(1001);
    peer.start();
    await assert.rejects(
      peer.send({ to: "*", body: "x" }),
      (error) => error instanceof LocalError && error.code === "waiting_for_key",
    );
    await assert.rejects(
      peer.send({ to: "Bob", body: "x" }),
      (error) => error instanceof LocalError && error.code === "not_found",
    );
  }));

Deno.test("a name that nobody has is asked for again, for its owner may have joined a moment ago", () =>
  onStage(async ({ peer, broker, until }) => {
    const { publicKey: pubkey } = generateKeyPair();
    let asked = 0;
    const answers: Record<string, () => object> = {
      list_members: () => ({
        type: "members_list",
        members: asked++ === 0 ? [] : [listedMember("Bea", pubkey)],
      }),
      list_peers: () => ({ type: "peers_list", peers: [] }),
    };
    broker.onConnection = (connection) => {
      connection.socket.on("message", (data) => {
        const { type, _reqId } = JSON.parse(data.toString());
        const answer = answers[type]?.() ?? helloAckFrame();
        connection.send({ ...answer, _reqId });
      });
    };
    peer.start();
    await until((state) => state.connected);
    assert.equal((await peer.resolve("Bea")).memberKey, pubkey);
    assert.equal(asked, 2);
    await assert.rejects(peer.resolve("Cleo"), /Cleo/);
    assert.equal(asked, 3);
  }));

Deno.test("a session is attached once, under a key that its member vouches for", () =>
  onStage(async ({ peer, broker, until }) => {
    peer.start();
    await until((state) => state.connected);
    for (let time = 0; time < 2; time++) {
      peer.attachSession({ sessionId: "s1", pid: 1, cwd: "/", displayName: "api" });
    }
    // The state changes when the session's connection comes up.
    await until(() => broker.connections[1]?.frames[0] !== undefined);
    const hello = broker.connections[1]!.frames[0];
    assert.equal(hello!.type, "session_hello");
    assert.equal(hello!.sessionId, "s1");
    const attestation = hello!.parentAttestation as Record<string, unknown>;
    assert.equal(attestation.parentMemberPubkey, KEYS.publicKey);
    assert.equal(attestation.sessionPubkey, hello!.sessionPubkey);
    assert.ok((attestation.expiresAt as number) <= Date.now() + 86_400_000);
    assert.equal(typeof attestation.meshSignature, "string");
    assert.equal(broker.connections.length, 2);
  }));
