/** Frames that are wrong, too large, foreign or out of turn: each gets a declared answer and harms nobody. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomId } from "../../crypto/random.ts";
import { brokerTest } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };
const FRAME_BYTES = 4096;

async function code(peer: TestPeer, type: string, input: object = {}): Promise<unknown> {
  const answer = await peer.request(type, input);
  assert.equal(answer.type, "error", JSON.stringify(answer));
  return answer.code;
}

brokerTest("a frame before the hello is refused and the connection stays", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.socket();
  assert.equal(await code(peer, "list_peers"), "no_hello");
  assert.equal(await code(peer, "no_such_type"), "no_hello");
  peer.ws.send("{");
  assert.equal((await peer.nextOf("error")).code, "malformed");
  await peer.hello(ada!);
});

brokerTest("too many frames before the hello end the connection", async (broker) => {
  const peer = await broker.socket();
  for (let count = 0; count < 32; count += 1) peer.send({ type: "list_peers" });
  assert.deepEqual(await peer.closed, { code: 1008, reason: "no_hello" });
});

brokerTest("what is no JSON object is malformed, and the next frame is served", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (const text of ["", "{", "null", "[]", "7", '"send"', "\u0000", '{"type":']) {
    peer.ws.send(text);
    assert.equal((await peer.nextOf("error")).code, "malformed");
  }
  assert.equal((await peer.request("mesh_info")).yourName, "Ada");
});

brokerTest("an unknown type is answered with its name and the request's id", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (const type of ["vault_get", "constructor", "__proto__", ""]) {
    const answer = await peer.request(type);
    assert.equal(answer.code, "unknown_type");
    assert.match(String(answer.message), new RegExp(`"${type}"`));
  }
  peer.send({ _reqId: "none" });
  assert.equal((await peer.next((frame) => frame._reqId === "none")).code, "unknown_type");
  peer.send({ type: 7, _reqId: "number" });
  assert.equal((await peer.next((frame) => frame._reqId === "number")).code, "unknown_type");
});

brokerTest("wrong fields are named", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  const cases: [string, object, string][] = [
    ["set_status", { status: "away" }, "status"],
    ["set_status", {}, "status"],
    ["set_summary", { summary: 7 }, "summary"],
    ["set_summary", { summary: "x".repeat(501) }, "summary"],
    ["set_visible", { visible: "yes" }, "visible"],
    ["set_stats", { stats: { messagesIn: -1 } }, "stats.messagesIn"],
    ["set_display_name", { displayName: " x" }, "displayName"],
    ["join_group", { name: "'); drop table mesh.member; --" }, "name"],
    ["join_group", { name: "a", role: 7 }, "role"],
    ["send", { targetSpec: "*", ciphertext: "not base64!", nonce: "" }, "ciphertext"],
    ["client_ack", { brokerMessageIds: "all" }, "brokerMessageIds"],
  ];
  for (const [type, input, field] of cases) {
    const answer = await peer.request(type, input);
    assert.equal(answer.code, "invalid_argument", `${type} ${JSON.stringify(input)}`);
    assert.equal(answer.field, field);
  }
  assert.equal(await code(peer, "set_summary", { summary: "a\0b" }), "invalid_argument");
  assert.equal(await code(peer, "set_summary", { summary: "\ud800" }), "invalid_argument");
  assert.equal(
    (await peer.request("set_summary", { summary: "x".repeat(500) })).type,
    "summary_set",
  );
});

brokerTest("an error echoes the id of a send that had no _reqId", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  peer.send({ type: "send", id: "s1", targetSpec: "Nobody", priority: "now", ...SEALED });
  const answer = await peer.nextOf("error");
  assert.equal(answer.id, "s1");
  assert.equal(answer.code, "not_found");
  assert.equal("_reqId" in answer, false);
});

brokerTest("a quiet operation is answered when asked, and always when it fails", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  peer.send({ type: "set_status", status: "working" });
  assert.equal((await peer.request("set_status", { status: "dnd" })).type, "status_set");
  peer.send({ type: "set_status", status: "gone" });
  assert.equal((await peer.nextOf("error")).code, "invalid_argument");
  assert.deepEqual(peer.frames.filter((frame) => frame.type === "status_set"), []);
  peer.send({ type: "set_status", status: "idle", _reqId: 7 });
  const answer = await peer.next((frame) => frame._reqId === 7);
  assert.equal(answer.field, "_reqId");
});

brokerTest(
  "a frame at the limit is read, one byte more cuts the connection with 1009",
  async (broker) => {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const peer = await broker.join(ada!);
    const filled = (bytes: number) => {
      const frame = (filler: string) => JSON.stringify({ type: "mesh_info", _reqId: "f", filler });
      return frame("x".repeat(bytes - frame("").length));
    };
    peer.ws.send(filled(FRAME_BYTES));
    assert.equal((await peer.next((frame) => frame._reqId === "f")).type, "mesh_info_result");
    peer.ws.send(filled(FRAME_BYTES + 1));
    const answer = await peer.nextOf("error");
    assert.equal(answer.code, "too_large");
    assert.equal(answer.limit, FRAME_BYTES);
    assert.deepEqual(await peer.closed, { code: 1009, reason: "too_large" });
    const multibyte = await broker.join(bob!);
    multibyte.ws.send(JSON.stringify({ type: "mesh_info", filler: "é".repeat(FRAME_BYTES / 2) }));
    assert.equal((await multibyte.closed).code, 1009);
  },
  { limits: { frameBytes: FRAME_BYTES } },
);

brokerTest("binary frames are refused with 1003", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  peer.ws.send(Buffer.from('{"type":"mesh_info"}'), { binary: true });
  assert.equal((await peer.nextOf("error")).code, "malformed");
  assert.deepEqual(await peer.closed, { code: 1003, reason: "malformed" });
});

brokerTest("frames of one connection take effect in order", async (broker) => {
  const [ada] = await broker.mesh("Ada");
  const peer = await broker.join(ada!);
  for (let count = 0; count < 20; count += 1) {
    peer.send({ type: "join_group", name: `g${count}` });
    if (count % 2 === 1) peer.send({ type: "leave_group", name: `g${count}` });
    peer.send({ type: "set_summary", summary: `at ${count}` });
  }
  const { yourGroups } = await peer.request("mesh_info");
  assert.deepEqual(yourGroups, Array.from({ length: 10 }, (_, index) => `@g${index * 2}`));
});

brokerTest("requests beyond the rate are refused with the time to wait", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peer = await broker.join(ada!);
  const answers = await Promise.all([1, 2, 3, 4].map(() => peer.request("mesh_info")));
  const refused = answers.filter((answer) => answer.type === "error");
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.code, "rate_limited");
  assert.ok(Number(refused[0]?.retry_after_ms) > 0);
  const other = await broker.join(bob!);
  assert.equal((await other.request("mesh_info")).type, "mesh_info_result");
}, { limits: { requestsPerMinute: 1, requestBurst: 3 } });

brokerTest("what belongs to another mesh cannot be reached by its id", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [eve, mal] = await broker.mesh("Eve", "Mal");
  const [sender, outsider] = [await broker.join(ada!), await broker.join(eve!)];
  const recipient = await broker.join(bob!);
  const ack = await sender.request("send", { targetSpec: "Bob", priority: "now", ...SEALED });
  const { messageId } = await recipient.nextMessage();
  assert.equal(messageId, ack.messageId);
  const foreignAck = await outsider.request("client_ack", { brokerMessageId: messageId });
  assert.equal(foreignAck.closed, 0);
  // Neither the sender itself nor any other member of the mesh closes it.
  assert.equal((await sender.request("client_ack", { brokerMessageId: messageId })).closed, 0);
  assert.equal(await code(outsider, "message_status", { messageId }), "not_found");
  const target = bob!.keys.publicKey;
  for (const type of ["kick", "disconnect", "ban", "unban"]) {
    assert.equal(await code(outsider, type, { target }), "not_found");
  }
  assert.equal(
    await code(outsider, "send", { targetSpec: target, priority: "now", ...SEALED }),
    "not_found",
  );
  const grants = { [target]: [] };
  assert.equal(await code(outsider, "set_grants", { grants }), "not_found");
  const { peers } = await outsider.request("list_peers") as { peers: Frame[] };
  assert.deepEqual(peers.map((each) => each.memberPubkey), [eve!.keys.publicKey]);
  const { members } = await outsider.request("list_members") as { members: Frame[] };
  assert.deepEqual(members.map((each) => each.memberId), [eve!.id, mal!.id]);
  assert.equal((await recipient.request("client_ack", { brokerMessageId: messageId })).closed, 1);
  assert.equal((await recipient.request("client_ack", { brokerMessageId: randomId() })).closed, 0);
});

brokerTest("operations of owners and admins are forbidden to members", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const peer = await broker.join(bob!);
  for (const type of ["kick", "disconnect", "ban", "unban"]) {
    assert.equal(await code(peer, type, { target: ada!.keys.publicKey }), "forbidden");
  }
  for (const type of ["create_invite", "list_invites", "list_key_requests", "rotate_mesh_key"]) {
    assert.equal(await code(peer, type), "forbidden");
  }
});
