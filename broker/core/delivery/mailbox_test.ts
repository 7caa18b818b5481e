/** Tests of a mailbox: positions in the log, order of what waits, bounds. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FakeConnection, fakeMember, fakeMesh, fakeSession } from "../../../tests/sim/fake_mesh.ts";
import type { Priority } from "../../api/fields.ts";
import type { Member } from "../model.ts";
import { Mailbox } from "./mailbox.ts";
import { type OpenDelivery, OpenMessage } from "./open_message.ts";

const mesh = fakeMesh();
const [reader, ada, ben] = [1, 2, 3].map((number) => fakeMember(mesh, number)) as [
  Member,
  Member,
  Member,
];

function message(seq: number, sender: Member = ada, priority: Priority = "next"): OpenMessage {
  return new OpenMessage({
    seq,
    id: `id${seq}`,
    meshId: mesh.id,
    senderSessionPubkey: null,
    clientMessageId: null,
    targetSpec: "*",
    priority,
    size: 10,
    createdAtMs: 0,
    expiresAtMs: 1,
  }, { sender, senderName: "x", recipients: [reader] });
}

function seqsOf(deliveries: Iterable<OpenDelivery>): number[] {
  return [...deliveries].map((delivery) => delivery.message.seq);
}

/** Takes the front of the ordinary queue. */
function take(mailbox: Mailbox): OpenDelivery {
  const delivery = mailbox.ordinary.shift();
  assert.ok(delivery !== undefined);
  return delivery;
}

Deno.test("position and exceptions give back the open set, after any acks and reloads", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("open" as const), gap: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant("close" as const), which: fc.nat() }),
    fc.record({ do: fc.constantFrom("save" as const, "crash" as const) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
    const stored: number[] = [];
    let mailbox = new Mailbox(reader);
    let saved = { through: 0, below: [] as number[] };
    let openWhenSaved = new Set<number>();
    let lastSeq = 0;
    for (const action of steps) {
      const open = [...mailbox.open.values()];
      if (action.do === "open") {
        lastSeq += action.gap;
        stored.push(lastSeq);
        mailbox.add(message(lastSeq));
      } else if (action.do === "close") {
        const delivery = open[action.which % Math.max(1, open.length)];
        if (delivery !== undefined) mailbox.close(delivery);
      } else if (action.do === "save") {
        saved = { through: mailbox.closedThrough, below: mailbox.openBelow() };
        openWhenSaved = new Set(seqsOf(open));
      } else {
        const lastSaved = Math.max(0, ...openWhenSaved, saved.through);
        const reopened = stored.filter((seq) => seq > saved.through || saved.below.includes(seq));
        const expected = stored.filter((seq) => openWhenSaved.has(seq) || seq > lastSaved);
        assert.deepEqual(reopened, expected, "what was open when saved, and all that came later");
        mailbox = new Mailbox(reader);
        mailbox.closedThrough = saved.through;
        for (const seq of reopened) mailbox.add(message(seq));
        openWhenSaved = new Set(reopened);
      }
    }
  }));
});

Deno.test("what comes back from a lost connection stands before what is new, in order", () => {
  const mailbox = new Mailbox(reader);
  const lost = new FakeConnection(fakeSession(reader, "lost"));
  const other = new FakeConnection(fakeSession(reader, "other"));
  for (let seq = 1; seq <= 6; seq++) mailbox.add(message(seq, ada, seq === 5 ? "now" : "next"));
  for (const outlet of [lost, other, lost]) mailbox.fly(take(mailbox), outlet, 1);
  assert.equal(mailbox.recall(({ outlet }) => outlet === lost), true);
  assert.deepEqual(seqsOf(mailbox.ordinary), [1, 3, 4, 6]);
  mailbox.recall(() => true);
  assert.deepEqual(seqsOf(mailbox.ordinary), [1, 2, 3, 4, 6]);
  assert.deepEqual(seqsOf(mailbox.urgent), [5]);
  assert.deepEqual([mailbox.inFlightCount, mailbox.inFlightBytes], [0, 0]);
});

Deno.test("released messages go back before later ones that came in meanwhile", () => {
  const mailbox = new Mailbox(reader);
  for (let seq = 1; seq <= 3; seq++) mailbox.add(message(seq));
  for (let seq = 1; seq <= 3; seq++) mailbox.hold(take(mailbox), "working", 10);
  mailbox.add(message(4));
  mailbox.reconsider(({ message: { seq } }) => seq === 1 ? null : "working");
  mailbox.reconsider(() => null);
  assert.deepEqual(seqsOf(mailbox.ordinary), [1, 2, 3, 4]);
});

Deno.test("an earlier held message blocks its sender's later ones, not the other way round", () => {
  const mailbox = new Mailbox(reader);
  for (const seq of [1, 2, 3]) mailbox.add(message(seq));
  const [, second] = [take(mailbox), take(mailbox)];
  mailbox.hold(second, "dnd", 10);
  assert.equal(mailbox.isBlocked(message(1)), false);
  assert.equal(mailbox.isBlocked(message(3)), true);
  assert.equal(mailbox.isBlocked(message(3, ben)), false);
  mailbox.close(second);
  assert.equal(mailbox.isBlocked(message(3)), false);
});

Deno.test("a message held again goes back to its place and keeps the time of its first hold", () => {
  const mailbox = new Mailbox(reader);
  for (const seq of [1, 2]) mailbox.add(message(seq));
  const [first, second] = [take(mailbox), take(mailbox)];
  mailbox.hold(first, "dnd", 10);
  mailbox.hold(second, "order", 11);
  mailbox.reconsider(({ message: { seq } }) => seq === 1 ? null : "dnd");
  mailbox.hold(take(mailbox), "working", 99);
  assert.deepEqual(seqsOf(mailbox.held), [1, 2]);
  assert.deepEqual([first.heldSinceMs, first.holdReason], [10, "working"]);
});

Deno.test("room counts what is open and what is reserved, to the last message and byte", () => {
  const mailbox = new Mailbox(reader);
  mailbox.add(message(1));
  mailbox.reserve(10);
  assert.equal(mailbox.hasRoom(5, 3, 25), true);
  assert.equal(mailbox.hasRoom(6, 3, 25), false);
  assert.equal(mailbox.hasRoom(0, 2, 25), false);
  mailbox.release(10);
  mailbox.close([...mailbox.open.values()][0]!);
  assert.deepEqual(mailbox.load, { count: 0, bytes: 0 });
});

Deno.test("acks out of order do not let the list of what is on its way grow", () => {
  const mailbox = new Mailbox(reader);
  const outlet = new FakeConnection(fakeSession(reader, "s"));
  for (let seq = 1; seq <= 5_000; seq++) {
    mailbox.add(message(seq));
    const delivery = take(mailbox);
    mailbox.fly(delivery, outlet, seq);
    if (seq > 1) mailbox.close(delivery);
  }
  assert.ok(mailbox.inFlight.length < 1_100);
  assert.deepEqual(mailbox.openBelow(), [1]);
});
