/** What is believed of a push: only what its sender signed for exactly this frame. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { sealDirect, sealDirectV1 } from "../../crypto/direct_message.ts";
import { toBase64 } from "../../crypto/bytes.ts";
import { sealGroup } from "../../crypto/group_message.ts";
import { newEpochKey } from "../../crypto/mesh_key.ts";
import { generateKeyPair, type KeyPair } from "../../crypto/sign.ts";
import { type OpenerKeys, openMessage } from "./message_opener.ts";
import { isReminder } from "./reminder_text.ts";
import { type PushFrame, readPush } from "./push_frame.ts";

const ADA = generateKeyPair();
const BOB = generateKeyPair();
const EVE = generateKeyPair();
const SESSION = generateKeyPair();
const EPOCH_KEY = newEpochKey();

const KEYS: OpenerKeys = {
  meshId: "mesh1",
  member: BOB,
  epochKey: (epoch) => epoch === 3 ? EPOCH_KEY : null,
  sessionSecretKeys: () => [SESSION.secretKey],
};

function fields(to: string, from: KeyPair = ADA) {
  return {
    id: "c1",
    mesh: "mesh1",
    from: from.publicKey,
    to,
    sentAt: 5,
    priority: "low" as const,
    type: "text",
    body: "hello",
  };
}

function frame(
  sealed: { nonce: string; ciphertext: string },
  change: Partial<PushFrame> = {},
): PushFrame {
  return {
    messageId: "b1",
    senderPubkey: ADA.publicKey,
    senderMemberPubkey: ADA.publicKey,
    senderMemberId: "member1",
    senderName: "Ada",
    targetSpec: BOB.publicKey,
    toMember: BOB.publicKey,
    priority: "now",
    bodyVersion: 2,
    epoch: null,
    createdAt: "2026-11-21T10:00:00.000Z",
    clientMessageId: "c1",
    replyToId: null,
    subtype: null,
    nonce: sealed.nonce,
    ciphertext: sealed.ciphertext,
    ...change,
  };
}

function direct(change: Partial<PushFrame> = {}): PushFrame {
  return frame(sealDirect(fields(BOB.publicKey), ADA.secretKey, BOB.publicKey), change);
}

function group(change: Partial<PushFrame> = {}): PushFrame {
  const sealed = sealGroup(fields("@eng"), ADA.secretKey, EPOCH_KEY);
  return frame(sealed, { targetSpec: "@eng", epoch: 3, ...change });
}

Deno.test("a signed direct message is believed, its own priority before the frame's", () => {
  const message = openMessage(direct(), KEYS);
  assert.deepEqual(
    [message.state, message.verification, message.body, message.priority, message.identity],
    ["ok", "signed", "hello", "low", "c1"],
  );
});

Deno.test("a signed group message is believed under the key of its epoch", () => {
  assert.equal(openMessage(group(), KEYS).body, "hello");
});

const LIES: readonly [string, PushFrame, RegExp][] = [
  ["another sender", direct({ senderMemberPubkey: EVE.publicKey }), /somebody else/],
  ["another id", direct({ clientMessageId: "c2" }), /another id/],
  ["no id", direct({ clientMessageId: null }), /not a message/],
  ["another group", group({ targetSpec: "@ops" }), /cannot be decrypted/],
  ["another spelling of the group", group({ targetSpec: "@ENG" }), /cannot be decrypted/],
  ["a group message as a direct one", group({ targetSpec: BOB.publicKey }), /cannot be decrypted/],
  [
    "a message to another member",
    frame(sealDirect(fields(EVE.publicKey), ADA.secretKey, BOB.publicKey)),
    /another recipient/,
  ],
  ["a later body version", direct({ bodyVersion: 3 }), /body version 3/],
  [
    "a group message without encryption",
    frame({ nonce: "", ciphertext: btoa("hello") }, { bodyVersion: 1, targetSpec: "*" }),
    /not encrypted/,
  ],
  [
    "a direct message without encryption",
    frame({ nonce: "", ciphertext: btoa("hello") }, { bodyVersion: 1 }),
    /cannot be decrypted/,
  ],
  [
    "a message of another mesh",
    frame(sealDirect({ ...fields(BOB.publicKey), mesh: "mesh2" }, ADA.secretKey, BOB.publicKey)),
    /another mesh/,
  ],
];

for (const [what, push, reason] of LIES) {
  Deno.test(`rejected without text: ${what}`, () => {
    const message = openMessage(push, KEYS);
    assert.equal(message.state, "rejected");
    assert.equal(message.body, null);
    assert.equal(message.identity, null);
    assert.match(message.reason!, reason);
  });
}

Deno.test("a message of an epoch that is not held waits with its frame", () => {
  const push = group({ epoch: 4 });
  const message = openMessage(push, KEYS);
  assert.equal(message.state, "pending_key");
  assert.match(message.reason!, /epoch 4/);
  assert.deepEqual(JSON.parse(message.frame!), push);
});

Deno.test("a box of body version 1 proves the member's key, but a session's key proves nothing", () => {
  const byMember = frame(sealDirectV1("old", ADA.secretKey, BOB.publicKey), { bodyVersion: 1 });
  assert.equal(openMessage(byMember, KEYS).verification, "boxed");
  const toSession = frame(sealDirectV1("old", ADA.secretKey, SESSION.publicKey), {
    bodyVersion: 1,
  });
  assert.equal(openMessage(toSession, KEYS).body, "old");
  const bySession = frame(sealDirectV1("old", EVE.secretKey, BOB.publicKey), {
    bodyVersion: 1,
    senderPubkey: EVE.publicKey,
  });
  assert.equal(openMessage(bySession, KEYS).verification, "none");
});

function reminder(change: Partial<PushFrame> = {}): PushFrame {
  const ciphertext = toBase64(new TextEncoder().encode("stand-up ☕"));
  const plain = { bodyVersion: 0, subtype: "reminder", clientMessageId: "schedule:1:2" };
  return frame({ nonce: "", ciphertext }, { ...plain, ...change });
}

Deno.test("a reminder of the broker's is read, with nothing proved of who set it", () => {
  for (const targetSpec of [BOB.publicKey, "@eng", "*"]) {
    const message = openMessage(reminder({ targetSpec, toMember: null }), KEYS);
    assert.deepEqual(
      [message.state, message.type, message.body, message.verification, message.identity],
      ["ok", "reminder", "stand-up ☕", "none", null],
    );
    assert.ok(isReminder(message));
  }
});

for (
  const [what, push, reason] of [
    ["plain text that is no reminder", reminder({ subtype: null }), /not encrypted/],
    ["plain text of another kind", reminder({ subtype: "webhook" }), /not encrypted/],
    ["a reminder with a nonce", reminder({ nonce: direct().nonce }), /not encrypted/],
    ["a reminder that is no UTF-8", reminder({ ciphertext: "//4=" }), /not a message/],
    ["a reminder that is no base64", reminder({ ciphertext: "stand-up" }), /not a message/],
    ["plain text under body version 1", reminder({ bodyVersion: 1 }), /decrypted/],
    [
      "plain text under body version 2",
      reminder({ bodyVersion: 2 }),
      /decrypted|malformed|message/,
    ],
  ] as const
) {
  Deno.test(`${what} is rejected, its text unread`, () => {
    const message = openMessage(push, KEYS);
    assert.deepEqual([message.state, message.body], ["rejected", null]);
    assert.match(message.reason!, reason);
    assert.ok(!isReminder(message));
  });
}

Deno.test("no peer makes a message of its own look like a reminder", () => {
  const named = { ...fields(BOB.publicKey), type: "reminder" };
  const sealed = frame(sealDirect(named, ADA.secretKey, BOB.publicKey), { subtype: "reminder" });
  const message = openMessage(sealed, KEYS);
  assert.deepEqual([message.type, message.verification], ["reminder", "signed"]);
  assert.ok(!isReminder(message));
});

Deno.test("no push, whatever it holds, makes it throw or shows text that nobody signed", () => {
  const junk = fc.record({
    messageId: fc.string({ minLength: 1, maxLength: 20 }),
    senderPubkey: fc.oneof(fc.string(), fc.constant(ADA.publicKey)),
    senderMemberPubkey: fc.option(fc.oneof(fc.string(), fc.constant(ADA.publicKey)), {
      nil: undefined,
    }),
    targetSpec: fc.oneof(fc.string(), fc.constant("@eng"), fc.constant("*")),
    priority: fc.constantFrom("now", "next", "low"),
    nonce: fc.oneof(fc.string(), fc.constant(direct().nonce)),
    ciphertext: fc.oneof(fc.base64String(), fc.string()),
    bodyVersion: fc.integer({ min: 0, max: 3 }),
    epoch: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    createdAt: fc.string(),
    client_message_id: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(fc.property(junk, (value) => {
    const push = readPush(value);
    if (push !== null) assert.equal(openMessage(push, KEYS).body, null);
  }));
});

Deno.test("a push with a field that is missing or of the wrong kind is no push", () => {
  const good = {
    messageId: "b1",
    senderPubkey: "x",
    targetSpec: "*",
    priority: "now",
    nonce: "",
    ciphertext: "",
    createdAt: "",
  };
  assert.equal(readPush(good)!.bodyVersion, 1);
  assert.equal(readPush({ ...good, later: { field: 1 } })!.messageId, "b1");
  const wrong: object[] = [
    { messageId: 1 },
    { messageId: "" },
    { messageId: "x".repeat(129) },
    { priority: "urgent" },
    { targetSpec: null },
    { bodyVersion: "2" },
    { senderName: 5 },
    { ciphertext: undefined },
  ];
  for (const change of wrong) {
    assert.equal(readPush({ ...good, ...change }), null, JSON.stringify(change));
  }
  for (const value of [null, 1, "x", []]) assert.equal(readPush(value), null);
});
