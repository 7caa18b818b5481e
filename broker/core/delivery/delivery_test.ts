/** Tests of what delivery promises: sending, pushing, acknowledging, holds, bounds, receipts. */
import assert from "node:assert/strict";
import { MeshError } from "../../api/errors.ts";
import { push } from "../../api/messaging.ts";
import {
  ack,
  connect,
  disconnect,
  flushed,
  openFixture,
  pushedIds,
  pushes,
  send,
  sendInput,
} from "../../../tests/sim/delivery_fixture.ts";
import { fakeSession } from "../../../tests/sim/fake_mesh.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function refusedWith(code: string) {
  return (error: unknown) => error instanceof MeshError && error.code === code;
}

Deno.test("a push is the message as the contract has it, direct ones with toMember", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  const id = await send(fixture, from, ben.pubkey, {
    client_message_id: "c-1",
    replyToId: "r1",
    request_fingerprint: "f",
  });
  const [frame] = pushes(to);
  const { type: _type, ...data } = frame as unknown as { type: string };
  assert.deepEqual(push.data.parse(data), data);
  assert.equal(frame?.messageId, id);
  assert.equal(frame?.toMember, ben.pubkey);
  assert.equal(frame?.senderPubkey, ada.pubkey);
  assert.equal(frame?.senderName, "Ada");
  assert.equal(frame?.replyToId, "r1");
  delivery.close();
});

Deno.test("nothing is answered or pushed before the commit", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, store, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  let finish = () => {};
  const commit = store.commit.bind(store);
  store.commit = async (batch) => {
    await new Promise<void>((resolve) => finish = resolve);
    await commit(batch);
  };
  let answered = false;
  const answer = delivery.send(from, sendInput(ben.pubkey)).then(() => answered = true);
  await clock.advance(100);
  assert.deepEqual([answered, to.frames.length], [false, 0]);
  finish();
  await answer;
  assert.equal(to.frames.length, 1);
  delivery.close();
});

Deno.test("sends of one moment share a commit and keep their order", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, store, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben, "agent", { batch: true })];
  let commits = 0;
  const commit = store.commit.bind(store);
  store.commit = (batch) => {
    commits += batch.messages.length > 0 ? 1 : 0;
    return commit(batch);
  };
  const answers = Array.from({ length: 300 }, () => delivery.send(from, sendInput(ben.pubkey)));
  await clock.advance(10);
  const ids = (await Promise.all(answers)).map(({ messageId }) => messageId);
  assert.equal(commits, 2);
  assert.deepEqual(pushedIds(to), ids);
  assert.ok(to.frames.length < 5, "joined into batches");
  delivery.close();
});

Deno.test("a repeat gets the first answer: under way, lately, and from the store", async () => {
  const first = await openFixture();
  const from = connect(first, first.ada);
  const input = { client_message_id: "once" };
  const [one, two] = [0, 1].map(() =>
    first.delivery.send(from, sendInput(first.ben.pubkey, { ...input, id: "x" }))
  );
  await first.clock.advance(2);
  const { messageId } = await one!;
  assert.deepEqual(await two, { id: "x", messageId, queued: true, recipients: 1 });
  assert.equal(await send(first, from, first.ben.pubkey, input), messageId);
  first.delivery.close();

  const { store, clock } = first;
  const second = await openFixture({ store, clock });
  const again = connect(second, second.ada);
  assert.equal(await send(second, again, second.ben.pubkey, input), messageId);
  assert.equal(store.messages.size, 1);
  assert.equal(second.delivery.openCount(second.ben), 1);
  second.delivery.close();
});

Deno.test("the same id of another sender is another message", async () => {
  const fixture = await openFixture();
  const input = { client_message_id: "once" };
  const { ada, ben, cleo } = fixture;
  const one = await send(fixture, connect(fixture, ada), cleo.pubkey, input);
  const two = await send(fixture, connect(fixture, ben), cleo.pubkey, input);
  assert.notEqual(one, two);
  fixture.delivery.close();
});

Deno.test("mail for a member that is away waits, over a restart too, and comes in order", async () => {
  const first = await openFixture();
  const from = connect(first, first.ada);
  const ids = [];
  for (const target of [first.ben.pubkey, "*", "Ben"]) ids.push(await send(first, from, target));
  first.delivery.close();
  const second = await openFixture({ store: first.store, clock: first.clock });
  const to = connect(second, second.ben);
  await second.clock.advance(10);
  assert.deepEqual(pushedIds(to), ids);
  second.delivery.close();
});

Deno.test("what was acknowledged is not pushed again after a restart", async () => {
  const first = await openFixture();
  const [from, to] = [connect(first, first.ada), connect(first, first.ben)];
  const ids = [];
  for (let index = 0; index < 4; index++) ids.push(await send(first, from, first.ben.pubkey));
  assert.equal(ack(first, to, [ids[0]!, ids[2]!]), 2);
  await flushed(first);
  first.delivery.close();
  const second = await openFixture({ store: first.store, clock: first.clock });
  const again = connect(second, second.ben);
  await second.clock.advance(10);
  assert.deepEqual(pushedIds(again), [ids[1], ids[3]]);
  second.delivery.close();
});

Deno.test("only the delivery's own recipient can close it", async () => {
  const fixture = await openFixture();
  const { ada, ben, cleo, delivery } = fixture;
  const [from, thief] = [connect(fixture, ada), connect(fixture, cleo)];
  const id = await send(fixture, from, ben.pubkey, { client_message_id: "c1" });
  assert.equal(ack(fixture, thief, [id]), 0);
  assert.equal(delivery.ack(thief, { clientMessageId: "c1" }), 0);
  assert.equal(ack(fixture, from, [id]), 0);
  assert.equal(delivery.openCount(ben), 1);
  delivery.close();
});

Deno.test("a sender's own id acknowledges only if it means one message", async () => {
  const fixture = await openFixture();
  const { ada, ben, cleo, delivery } = fixture;
  const to = connect(fixture, cleo);
  await send(fixture, connect(fixture, ada), cleo.pubkey, { client_message_id: "same" });
  await send(fixture, connect(fixture, ben), cleo.pubkey, { client_message_id: "same" });
  await send(fixture, connect(fixture, ben), cleo.pubkey, { client_message_id: "other" });
  assert.equal(delivery.ack(to, { clientMessageId: "same" }), 0);
  assert.equal(delivery.ack(to, { clientMessageId: "other" }), 1);
  delivery.close();
});

Deno.test("without an ack for 30 s a message is pushed again, with one it is not", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  const ids = [await send(fixture, from, ben.pubkey), await send(fixture, from, ben.pubkey)];
  ack(fixture, to, [ids[0]!]);
  await clock.advance(29_000);
  assert.deepEqual(pushedIds(to), ids);
  await clock.advance(2_000);
  assert.deepEqual(pushedIds(to), [...ids, ids[1]]);
  delivery.close();
});

Deno.test("what was on its way to a lost connection comes first on the next one", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  const [from, lost] = [connect(fixture, ada), connect(fixture, ben)];
  const ids = [await send(fixture, from, ben.pubkey), await send(fixture, from, ben.pubkey)];
  disconnect(fixture, lost);
  ids.push(await send(fixture, from, ben.pubkey));
  assert.deepEqual(pushedIds(connect(fixture, ben)), ids);
  delivery.close();
});

Deno.test("a window of unacknowledged messages is not exceeded, and acks move it", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben, "agent", { batch: true })];
  const answers = Array.from({ length: 1_500 }, () => delivery.send(from, sendInput(ben.pubkey)));
  await clock.advance(50);
  await Promise.all(answers);
  assert.equal(pushedIds(to).length, 1_024);
  ack(fixture, to, pushedIds(to).slice(0, 300));
  assert.equal(pushedIds(to).length, 1_324);
  delivery.close();
});

Deno.test("a member's agent gets its mail, a session only while there is no agent", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  fakeSession(ben, "s1");
  const from = connect(fixture, ada);
  const session = connect(fixture, ben, "s1");
  const ids = [await send(fixture, from, ben.pubkey)];
  assert.deepEqual(pushedIds(session), ids);
  const agent = connect(fixture, ben);
  ids.push(await send(fixture, from, ben.pubkey));
  assert.deepEqual(pushedIds(agent), ids);
  assert.equal(session.frames.length, 1);
  delivery.close();
});

Deno.test("clients of their own get what is addressed to their session", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  ben.sessions.clear();
  fakeSession(ben, "s1", "session", "1".repeat(64));
  fakeSession(ben, "s2", "session", "2".repeat(64));
  const from = connect(fixture, ada);
  const [one, two] = [connect(fixture, ben, "s1"), connect(fixture, ben, "s2")];
  const byKey = await send(fixture, from, "2".repeat(64));
  const byName = await send(fixture, from, "ben S1");
  assert.deepEqual([pushedIds(one), pushedIds(two)], [[byName], [byKey]]);
  delivery.close();
});

Deno.test("a client that never acknowledges has what it was sent, once", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const old = connect(fixture, ben, "agent", { acks: false });
  const id = await send(fixture, from, ben.pubkey);
  await clock.advance(MINUTE_MS);
  assert.deepEqual(pushedIds(old), [id]);
  const status = delivery.status(ada, id);
  await clock.advance(5);
  assert.equal((await status).recipients[0]?.state, "received");
  delivery.close();
});

Deno.test("a message to a blocked peer looks sent and never arrives", async () => {
  const fixture = await openFixture();
  const { ada, ben, cleo, clock, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  ben.grants.set(ada.pubkey, []);
  cleo.grants.set(ada.pubkey, ["dm"]);
  const answer = delivery.send(from, sendInput("*"));
  await clock.advance(2);
  const { messageId, recipients } = await answer;
  assert.equal(recipients, 2);
  await send(fixture, from, ben.pubkey);
  const status = delivery.status(ada, messageId);
  await clock.advance(5);
  assert.deepEqual((await status).recipients.map(({ name, state }) => [name, state]), [
    ["Ben", "stored"],
    ["Cleo", "stored"],
  ]);
  assert.equal(to.frames.length, 0);
  assert.deepEqual([ben, cleo].map((member) => delivery.openCount(member)), [0, 0]);
  delivery.close();
});

Deno.test("a block also stops what waits already", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  await send(fixture, connect(fixture, ada), ben.pubkey);
  ben.grants.set(ada.pubkey, []);
  assert.deepEqual(pushedIds(connect(fixture, ben)), []);
  assert.equal(delivery.openCount(ben), 0);
  delivery.close();
});

Deno.test("next waits for a busy recipient, now and low do not", async () => {
  const fixture = await openFixture();
  const { ada, ben, delivery } = fixture;
  const session = fakeSession(ben, "s1");
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  connect(fixture, ben, "s1");
  for (const status of ["working", "dnd"] as const) {
    session.status = status;
    to.frames.length = 0;
    const [next, now, low] = [
      await send(fixture, from, ben.pubkey, { priority: "next" }),
      await send(fixture, from, "*", { priority: "now" }),
      await send(fixture, from, "*", { priority: "low" }),
    ];
    assert.deepEqual(pushedIds(to), [now, low]);
    session.status = "idle";
    delivery.drain(ben);
    assert.deepEqual(pushedIds(to), [now, low, next]);
  }
  delivery.close();
});

Deno.test("a held message goes after ten minutes with its reason", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  to.session.status = "working";
  const ids = [await send(fixture, from, ben.pubkey)];
  await clock.advance(5 * MINUTE_MS);
  ids.push(await send(fixture, from, ben.pubkey));
  await clock.advance(5 * MINUTE_MS - 10);
  assert.equal(to.frames.length, 0);
  await clock.advance(20);
  assert.deepEqual(pushes(to).map(({ messageId, reason }) => [messageId, reason]), [
    [ids[0], "hold_expired"],
  ]);
  ack(fixture, to, [ids[0]!]);
  await clock.advance(5 * MINUTE_MS);
  assert.deepEqual(pushedIds(to), ids);
  delivery.close();
});

Deno.test("nothing of a sender overtakes what is held, whatever session it is for", async () => {
  const fixture = await openFixture();
  const { ada, ben, cleo, delivery } = fixture;
  const busy = fakeSession(ben, "s1", "session", "1".repeat(64));
  fakeSession(ben, "s2", "session", "2".repeat(64));
  const [from, other, to] = [connect(fixture, ada), connect(fixture, cleo), connect(fixture, ben)];
  connect(fixture, ben, "s1");
  connect(fixture, ben, "s2");
  busy.status = "dnd";
  const first = await send(fixture, from, "1".repeat(64));
  const second = await send(fixture, from, "2".repeat(64));
  const others = await send(fixture, other, "2".repeat(64));
  assert.deepEqual(pushedIds(to), [others]);
  const status = delivery.status(ada, second);
  await fixture.clock.advance(5);
  const [recipient] = (await status).recipients;
  assert.deepEqual([recipient?.state, recipient?.reason], ["held", "order"]);
  busy.status = "idle";
  delivery.drain(ben);
  assert.deepEqual(pushedIds(to), [others, first, second]);
  delivery.close();
});

Deno.test("a full queue refuses at the limit and stores nothing", async () => {
  const fixture = await openFixture({ limits: { queuedMessages: 3 } });
  const { ada, ben, store, delivery } = fixture;
  const from = connect(fixture, ada);
  for (let index = 0; index < 3; index++) await send(fixture, from, ben.pubkey);
  for (const target of [ben.pubkey, "*"]) {
    await assert.rejects(send(fixture, from, target), refusedWith("queue_full"));
  }
  assert.equal(store.messages.size, 3);
  const to = connect(fixture, ben);
  ack(fixture, to, pushedIds(to).slice(0, 1));
  await send(fixture, from, "*");
  assert.equal(store.messages.size, 4);
  delivery.close();
});

Deno.test("bytes bound a queue as messages do, those being committed included", async () => {
  const fixture = await openFixture({ limits: { queuedBytes: 100 } });
  const { ada, ben, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const input = sendInput(ben.pubkey, { ciphertext: "A".repeat(40), nonce: "A".repeat(10) });
  const answers = [0, 1, 2].map(() => delivery.send(from, input));
  await assert.rejects(answers[2]!, refusedWith("queue_full"));
  await clock.advance(2);
  await Promise.all(answers.slice(0, 2));
  delivery.close();
});

Deno.test("a message may have as many bytes as the limit says and not one more", async () => {
  const fixture = await openFixture({ limits: { messageBytes: 7 } });
  const { ada, ben, delivery } = fixture;
  const from = connect(fixture, ada);
  await send(fixture, from, ben.pubkey, { ciphertext: "AAAAAAAAAA==" });
  const over = { ciphertext: "AAAAAAAAAAA=" };
  await assert.rejects(send(fixture, from, ben.pubkey, over), refusedWith("too_large"));
  delivery.close();
});

Deno.test("what goes to many is sealed under the current epoch", async () => {
  const fixture = await openFixture();
  const { ada, ben, mesh, delivery } = fixture;
  const from = connect(fixture, ada);
  mesh.epoch = 2;
  await assert.rejects(send(fixture, from, "*"), refusedWith("stale_epoch"));
  await send(fixture, from, "*", { epoch: 2 });
  await send(fixture, from, ben.pubkey);
  const { epoch: _epoch, ...none } = sendInput("*");
  await assert.rejects(delivery.send(from, none), refusedWith("invalid_argument"));
  delivery.close();
});

Deno.test("receipts go from stored over pushed and received to seen", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const id = await send(fixture, from, ben.pubkey);
  const state = async () => {
    const status = delivery.status(ada, id.slice(0, 8));
    await clock.advance(60);
    const { recipients: [recipient], delivered } = await status;
    return [recipient?.state, recipient?.status, delivered];
  };
  assert.deepEqual(await state(), ["stored", "disconnected", false]);
  const to = connect(fixture, ben);
  assert.deepEqual(await state(), ["pushed", "held", false]);
  ack(fixture, to, [id]);
  assert.deepEqual(await state(), ["received", "delivered", true]);
  delivery.seen(to, { brokerMessageIds: [id] });
  assert.deepEqual(await state(), ["seen", "delivered", true]);
  delivery.close();
});

Deno.test("nobody can ask for another's message, nor claim to have seen it", async () => {
  const fixture = await openFixture();
  const { ada, ben, cleo, clock, store, delivery } = fixture;
  const id = await send(fixture, connect(fixture, ada), ben.pubkey);
  const asked = delivery.status(cleo, id);
  asked.catch(() => {});
  delivery.seen(connect(fixture, cleo), { brokerMessageIds: [id] });
  await clock.advance(100);
  await assert.rejects(asked, refusedWith("not_found"));
  assert.deepEqual(store.receipts, []);
  delivery.close();
});

Deno.test("what is one message's id and another's client id is ambiguous", async () => {
  const fixture = await openFixture();
  const { ada, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const beginning = (await send(fixture, from, "*")).slice(0, 9);
  await send(fixture, from, "*", { client_message_id: beginning });
  const asked = delivery.status(ada, beginning);
  asked.catch(() => {});
  await clock.advance(5);
  await assert.rejects(asked, refusedWith("ambiguous_prefix"));
  delivery.close();
});

Deno.test("after seven days a message expires, is not pushed and says so", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const id = await send(fixture, from, "*");
  await clock.advance(7 * DAY_MS);
  const to = connect(fixture, ben);
  assert.deepEqual(pushedIds(to), []);
  await clock.advance(100);
  const swept = delivery.sweep();
  await clock.advance(100);
  await swept;
  const status = delivery.status(ada, id);
  await clock.advance(100);
  assert.deepEqual((await status).recipients.map(({ state }) => state), ["expired", "expired"]);
  assert.equal(delivery.openCount(fixture.cleo), 0);
  delivery.close();
});

Deno.test("closed messages are purged after a day", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, store, delivery } = fixture;
  const [from, to] = [connect(fixture, ada), connect(fixture, ben)];
  ack(fixture, to, [await send(fixture, from, ben.pubkey)]);
  await flushed(fixture);
  for (const [waitMs, left] of [[DAY_MS - MINUTE_MS, 1], [2 * MINUTE_MS, 0]] as const) {
    await clock.advance(waitMs + 600_000 * (1 - left));
    const swept = delivery.sweep();
    await clock.advance(100);
    await swept;
    assert.equal(store.messages.size, left);
  }
  assert.deepEqual(store.receipts, []);
  delivery.close();
});

Deno.test("a member that leaves gets nothing more, and its mail is closed", async () => {
  const fixture = await openFixture();
  const { ada, ben, clock, delivery } = fixture;
  const from = connect(fixture, ada);
  const id = await send(fixture, from, ben.pubkey);
  ben.leftAtMs = clock.now();
  const removed = delivery.memberRemoved(ben);
  await clock.advance(100);
  await removed;
  assert.equal(delivery.openCount(ben), 0);
  await assert.rejects(send(fixture, from, ben.pubkey), refusedWith("not_found"));
  const status = delivery.status(ada, id);
  await clock.advance(5);
  assert.equal((await status).recipients[0]?.state, "expired");
  delivery.close();
});

Deno.test("texts that fell out of memory are read again, in order", async () => {
  const fixture = await openFixture({ payloadCacheBytes: 5_000 });
  const { ada, ben, cleo, clock, delivery, errors } = fixture;
  const from = connect(fixture, ada);
  const ids = [];
  for (let index = 0; index < 30; index++) {
    ids.push(await send(fixture, from, "*", { priority: "low", ciphertext: "A".repeat(400) }));
  }
  const connections = [connect(fixture, ben), connect(fixture, cleo)];
  // The store answers page after page.
  for (let page = 0; page < 30; page++) await clock.advance(1);
  for (const to of connections) assert.deepEqual(pushedIds(to), ids);
  assert.deepEqual(errors, []);
  delivery.close();
});

Deno.test("what cannot be read is tried again, and what is gone ends", async () => {
  const fixture = await openFixture({ payloadCacheBytes: 1_000 });
  const { ada, ben, clock, store, delivery, errors } = fixture;
  const from = connect(fixture, ada);
  const big = { ciphertext: "A".repeat(900) };
  const ids = [];
  for (let index = 0; index < 3; index++) ids.push(await send(fixture, from, ben.pubkey, big));
  const bodies = store.bodies.bind(store);
  store.bodies = () => Promise.reject(new Error("down"));
  const to = connect(fixture, ben);
  await clock.advance(10);
  assert.equal(errors.length, 1);
  store.bodies = bodies;
  store.messages.delete(2);
  await clock.advance(1_100);
  assert.deepEqual(pushedIds(to), [ids[0], ids[2]]);
  assert.equal(errors.length, 2);
  delivery.close();
});
