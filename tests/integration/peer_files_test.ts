/**
 * The relay of peer files: who may ask whom, that answers come back to who asked, and that nothing is waited for in
 * vain.
 */
import assert from "node:assert/strict";
import { brokerTest, type TestMember } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

const ASK = "YXNrZWQ=";
const ANSWER = "YW5zd2VyZWQ=";

async function grantFiles(from: TestPeer, to: TestMember): Promise<void> {
  const grants = { [to.keys.publicKey]: ["file-read"] };
  assert.equal((await from.request("set_grants", { grants })).type, "grants");
}

async function ask(peer: TestPeer, target: TestMember, requestId: string): Promise<Frame> {
  const targetPubkey = target.keys.publicKey;
  return await peer.request("peer_file_request", { targetPubkey, requestId, sealed: ASK });
}

brokerTest("a request reaches the asked agent and its answer who asked", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [host, asker] = [await broker.join(ada!), await broker.join(bob!)];
  await grantFiles(host, bob!);
  assert.deepEqual({ ...await ask(asker, ada!, "r1"), _reqId: "" }, {
    type: "peer_file_requested",
    _reqId: "",
    requestId: "r1",
    targetPubkey: ada!.keys.publicKey,
    timeoutMs: 30_000,
  });
  assert.deepEqual(await host.nextOf("peer_file_request_forward"), {
    type: "peer_file_request_forward",
    requestId: "r1",
    requesterPubkey: bob!.keys.publicKey,
    requesterMemberId: bob!.id,
    requesterName: "Bob",
    sealed: ASK,
  });
  const answer = { requesterPubkey: bob!.keys.publicKey, requestId: "r1", sealed: ANSWER };
  assert.equal((await host.request("peer_file_response", answer)).type, "peer_file_answered");
  assert.deepEqual(await asker.nextOf("peer_file_response_forward"), {
    type: "peer_file_response_forward",
    requestId: "r1",
    targetPubkey: ada!.keys.publicKey,
    sealed: ANSWER,
  });
  assert.equal((await host.request("peer_file_response", answer)).code, "not_found");
  assert.equal(broker.context.peerFiles.openRequests, 0);
});

brokerTest("nobody asks without the grant, or somebody who is not here", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [eve] = await broker.mesh("Eve");
  const asker = await broker.join(bob!);
  assert.equal((await ask(asker, ada!, "r1")).code, "forbidden");
  const host = await broker.join(ada!);
  assert.equal((await ask(asker, ada!, "r1")).code, "forbidden");
  await grantFiles(host, bob!);
  // The grant is Ada's to Bob, not Bob's to Ada.
  assert.equal((await ask(host, bob!, "r1")).code, "forbidden");
  await broker.join(eve!);
  assert.equal((await ask(asker, eve!, "r1")).code, "not_found");
  await host.close();
  assert.equal((await ask(asker, ada!, "r1")).code, "not_found");
});

brokerTest("only the asked member answers", async (broker) => {
  const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  const [eve] = await broker.mesh("Eve");
  const [host, asker] = [await broker.join(ada!), await broker.join(bob!)];
  const [other, foreign] = [await broker.join(cyd!), await broker.join(eve!)];
  await grantFiles(host, bob!);
  await ask(asker, ada!, "r1");
  const answer = { requesterPubkey: bob!.keys.publicKey, requestId: "r1", sealed: "Zm9yZ2Vk" };
  for (const forger of [other, foreign, asker]) {
    assert.equal((await forger.request("peer_file_response", answer)).code, "not_found");
  }
  for (const wrong of [{ error: "refused" }, { sealed: undefined }]) {
    const refused = await host.request("peer_file_response", { ...answer, ...wrong });
    assert.equal(refused.code, "invalid_argument");
  }
  const refusal = { ...answer, sealed: undefined, error: "refused" };
  assert.equal((await host.request("peer_file_response", refusal)).type, "peer_file_answered");
  const { error, sealed } = await asker.nextOf("peer_file_response_forward");
  assert.deepEqual([error, sealed], ["refused", undefined]);
});

brokerTest("a request whose peer is gone or silent ends with that", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [host, asker] = [await broker.join(ada!), await broker.join(bob!)];
  await grantFiles(host, bob!);
  await ask(asker, ada!, "r1");
  const late = await asker.nextOf("peer_file_response_forward");
  assert.deepEqual([late.requestId, late.error], ["r1", "timeout"]);
  await ask(asker, ada!, "r2");
  await host.cut();
  const gone = await asker.nextOf("peer_file_response_forward");
  assert.deepEqual([gone.requestId, gone.error], ["r2", "gone"]);
}, { limits: { peerFileMs: 900 } });

brokerTest("requests are bounded for who asks and for who is asked", async (broker) => {
  const [ada, bob, cyd] = await broker.mesh("Ada", "Bob", "Cyd");
  const host = await broker.join(ada!);
  const [asker, other] = [await broker.join(bob!), await broker.join(cyd!)];
  for (const member of [bob!, cyd!]) await grantFiles(host, member);
  assert.equal((await ask(asker, ada!, "r1")).type, "peer_file_requested");
  assert.equal((await ask(asker, ada!, "r1")).code, "already_exists");
  assert.equal((await ask(asker, ada!, "r2")).type, "peer_file_requested");
  const third = await ask(asker, ada!, "r3");
  assert.deepEqual([third.code, third.limit], ["limit", 2]);
  assert.equal((await ask(other, ada!, "r1")).type, "peer_file_requested");
  const full = await ask(other, ada!, "r2");
  assert.deepEqual([full.code, full.limit], ["limit", 3]);
  const answer = { requesterPubkey: bob!.keys.publicKey, requestId: "r2", sealed: ANSWER };
  await host.request("peer_file_response", answer);
  assert.equal((await ask(other, ada!, "r2")).type, "peer_file_requested");
}, { limits: { peerFileRequests: 2, peerFileServed: 3 } });

brokerTest(
  "a session is asked through its agent; a member asks itself without a grant",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const session = await broker.socket();
    await session.sessionHello(ada!);
    const { peers } = await session.request("list_peers") as { peers: Frame[] };
    const { pubkey } = peers[0]!;
    assert.notEqual(pubkey, ada!.keys.publicKey);
    const request = { targetPubkey: pubkey, requestId: "r1", sealed: ASK };
    const asked = await session.request("peer_file_request", request);
    assert.equal(asked.targetPubkey, ada!.keys.publicKey);
    await session.nextOf("peer_file_request_forward");
    const agent = await broker.join(ada!);
    await session.request("peer_file_request", { ...request, requestId: "r2" });
    assert.equal((await agent.nextOf("peer_file_request_forward")).requestId, "r2");
  },
);

brokerTest("answers may be as large as a frame, and no larger than declared", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [host, asker] = [await broker.join(ada!), await broker.join(bob!)];
  await grantFiles(host, bob!);
  await ask(asker, ada!, "r1");
  const answer = { requesterPubkey: bob!.keys.publicKey, requestId: "r1" };
  const past = await host.request("peer_file_response", { ...answer, sealed: "A".repeat(983_044) });
  assert.equal(past.code, "invalid_argument");
  const sealed = "A".repeat(983_040);
  await host.request("peer_file_response", { ...answer, sealed });
  assert.equal((await asker.nextOf("peer_file_response_forward")).sealed, sealed);
});
