/** Receiving: nothing is acknowledged before it is on disk, and nothing that came stays unacknowledged for good. */
import assert from "node:assert/strict";
import { sealDirect, sealDirectV1 } from "../../crypto/direct_message.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { StillClock } from "../../tests/support/agent_clock.ts";
import { Inbox } from "./inbox.ts";
import type { InboxMessage } from "./mesh_peer_api.ts";
import type { PushFrame } from "./push_frame.ts";
import { Receiver } from "./receiver.ts";
import { openStore, type StoreFile } from "./store_file.ts";

const SENDER = generateKeyPair();
const OWN = generateKeyPair();

function push(id: string, from = SENDER, type = "text", body = `body of ${id}`): PushFrame {
  const fields = {
    id,
    mesh: "mesh1",
    from: from.publicKey,
    to: OWN.publicKey,
    sentAt: 1,
    priority: "next" as const,
    type,
    body,
  };
  return {
    messageId: `broker-${id}`,
    senderPubkey: from.publicKey,
    senderMemberPubkey: from.publicKey,
    senderMemberId: "member1",
    senderName: "Ada",
    targetSpec: OWN.publicKey,
    toMember: OWN.publicKey,
    priority: "next",
    ...sealDirect(fields, from.secretKey, OWN.publicKey),
    bodyVersion: 2,
    epoch: null,
    createdAt: "2026-11-21T10:00:00.000Z",
    clientMessageId: id,
    replyToId: null,
    subtype: null,
  };
}

interface Stage {
  readonly receiver: Receiver;
  readonly clock: StillClock;
  readonly store: StoreFile;
  readonly shown: InboxMessage[];
  readonly pings: string[];
  readonly acked: string[][];
  readonly link: { post(wire: string, input: Readonly<Record<string, unknown>>): boolean };
}

function onStage(run: (stage: Stage) => void): void {
  const folder = Deno.makeTempDirSync();
  const clock = new StillClock();
  let store: StoreFile | null = null;
  const inbox = new Inbox(
    folder,
    { meshId: "mesh1", slug: "team" },
    () => 1,
    (options) => store = openStore(options),
  );
  const shown: InboxMessage[] = [];
  const pings: string[] = [];
  const acked: string[][] = [];
  const receiver = new Receiver({
    inbox,
    clock,
    keys: { meshId: "mesh1", member: OWN, epochKey: () => null, sessionSecretKeys: () => [] },
    onMessages: (messages) => shown.push(...messages),
    onPing: (id) => pings.push(id),
    onProblem: () => {},
  });
  const link = {
    post: (wire: string, input: Readonly<Record<string, unknown>>) => {
      assert.equal(wire, "client_ack");
      acked.push(input.brokerMessageIds as string[]);
      return true;
    },
  };
  try {
    run({ receiver, clock, store: store!, shown, pings, acked, link });
  } finally {
    receiver.close();
    inbox.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("messages of one turn are written together and acknowledged in one frame", () =>
  onStage(({ receiver, shown, acked, link }) => {
    receiver.take(push("m1"), link);
    receiver.take(push("m2"), link);
    assert.deepEqual(acked, []);
    receiver.commit();
    assert.deepEqual(acked, [["broker-m1", "broker-m2"]]);
    assert.deepEqual(shown.map((each) => each.body), ["body of m1", "body of m2"]);
  }));

Deno.test("a repeat is acknowledged again and not shown again", () =>
  onStage(({ receiver, shown, acked, link }) => {
    for (let time = 0; time < 2; time++) {
      receiver.take(push("m1"), link);
      receiver.commit();
    }
    assert.equal(shown.length, 1);
    assert.equal(acked.length, 2);
  }));

Deno.test("on a full disk nothing is acknowledged until it is written", () =>
  onStage(({ receiver, clock, store, shown, acked, link }) => {
    store.all("pragma max_page_count = 10");
    const big = push("m1", SENDER, "text", "x".repeat(100_000));
    receiver.take(big, link);
    receiver.commit();
    // Pushed again while the disk is full.
    receiver.take(big, link);
    assert.deepEqual([acked, shown], [[], []]);
    assert.match(store.problems[0]!, /disk is full/);
    clock.pass(5_000);
    assert.deepEqual(acked, []);
    store.all("pragma max_page_count = 1000000");
    clock.pass(5_000);
    assert.deepEqual(acked, [["broker-m1"]]);
    assert.equal(shown.length, 1);
    assert.deepEqual(store.problems, []);
  }));

Deno.test("an own test message is told and acknowledged but not kept", () =>
  onStage(({ receiver, shown, pings, acked, link }) => {
    receiver.take(push("p1", OWN, "ping", ""), link);
    receiver.take(push("p2", SENDER, "ping", "from another"), link);
    receiver.commit();
    assert.deepEqual(pings, ["p1"]);
    assert.deepEqual(shown.map((each) => each.clientMessageId), ["p2"]);
    assert.deepEqual(acked, [["broker-p1", "broker-p2"]]);
  }));

Deno.test("acknowledgements go to the connection that the push came by", () =>
  onStage(({ receiver, acked, link }) => {
    const others: unknown[] = [];
    const other = {
      post: (_wire: string, input: Readonly<Record<string, unknown>>) => {
        others.push(input.brokerMessageIds);
        return true;
      },
    };
    receiver.take(push("m1"), link);
    receiver.take(push("m2"), other);
    receiver.commit();
    assert.deepEqual([acked, others], [[["broker-m1"]], [["broker-m2"]]]);
  }));

Deno.test("the same box of an older client, sent again under another id, is one message", () =>
  onStage(({ receiver, shown, link }) => {
    const boxed = {
      ...push("m1"),
      ...sealDirectV1("old", SENDER.secretKey, OWN.publicKey),
      bodyVersion: 1,
    };
    receiver.take(boxed, link);
    receiver.take({ ...boxed, messageId: "again" }, link);
    receiver.commit();
    assert.deepEqual(shown.map((each) => [each.body, each.verification]), [["old", "boxed"]]);
  }));
