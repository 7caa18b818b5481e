/** What is written for whom: body version 2 for members that read it, version 1 for the others, groups under the epoch. */
import assert from "node:assert/strict";
import { openDirect, openDirectV1 } from "../../crypto/direct_message.ts";
import { openGroup } from "../../crypto/group_message.ts";
import { newEpochKey } from "../../crypto/mesh_key.ts";
import { generateKeyPair } from "../../crypto/sign.ts";
import { LocalError } from "./local_error.ts";
import { type Draft, sealEntry, sendFrame } from "./message_sealer.ts";

const ADA = generateKeyPair();
const BOB = generateKeyPair();
const SESSION = generateKeyPair();
const KEY = newEpochKey();

function draft(target: Draft["target"], change: Partial<Draft> = {}): Draft {
  return {
    id: "c1",
    target,
    bodyVersion: 2,
    body: "hello",
    type: "text",
    priority: "now",
    replyTo: "m0",
    sessionId: null,
    createdAtMs: 7,
    ...change,
  };
}

const TO_BOB = {
  target: BOB.publicKey,
  kind: "member",
  memberKey: BOB.publicKey,
  name: "Bob",
} as const;
const TO_SESSION = { ...TO_BOB, target: SESSION.publicKey, kind: "session" } as const;
const TO_GROUP = { target: "@eng", kind: "group", memberKey: null, name: "@eng" } as const;

function frameOf(made: Draft, epochKey: Uint8Array | null = KEY) {
  return sendFrame(sealEntry(made, "mesh1", ADA, KEY), "mesh1", ADA, 3, epochKey) as
    & Record<string, unknown>
    & { nonce: string; ciphertext: string };
}

const EXPECTED = { mesh: "mesh1", from: ADA.publicKey, to: BOB.publicKey, id: "c1" };

Deno.test("a direct message is signed for the member, also where a session is addressed", () => {
  for (const target of [TO_BOB, TO_SESSION]) {
    const frame = frameOf(draft(target));
    assert.equal(frame.targetSpec, target.target);
    assert.deepEqual(
      [frame.bodyVersion, frame.client_message_id, frame.replyToId, frame.priority],
      [2, "c1", "m0", "now"],
    );
    const opened = openDirect(frame, BOB.secretKey, EXPECTED);
    assert.equal(opened.ok && opened.body.body, "hello");
    assert.equal(opened.ok && opened.body.sentAt, 7);
  }
});

Deno.test("who does not read version 2 gets version 1, boxed to the key that is addressed", () => {
  const frame = frameOf(draft(TO_SESSION, { bodyVersion: 1 }));
  assert.equal(frame.bodyVersion, 1);
  assert.equal(openDirectV1(frame, SESSION.secretKey, ADA.publicKey), "hello");
  assert.equal(openDirectV1(frame, BOB.secretKey, ADA.publicKey), null);
});

Deno.test("a group message is sealed when it is sent, under the epoch of then", () => {
  const entry = sealEntry(draft(TO_GROUP), "mesh1", ADA, KEY);
  const later = newEpochKey();
  const frame = sendFrame(entry, "mesh1", ADA, 4, later) as unknown as {
    nonce: string;
    ciphertext: string;
    epoch: number;
  };
  assert.equal(frame.epoch, 4);
  assert.equal(openGroup(frame, later, { ...EXPECTED, to: "@eng" }).ok, true);
  assert.equal(openGroup(frame, KEY, { ...EXPECTED, to: "@eng" }).ok, false);
  assert.equal(sendFrame(entry, "mesh1", ADA, 4, null), null);
});

Deno.test("without a mesh key a group message is refused, a direct one is not", () => {
  assert.throws(
    () => sealEntry(draft(TO_GROUP), "mesh1", ADA, null),
    (error) => error instanceof LocalError && error.code === "waiting_for_key",
  );
  assert.equal(sealEntry(draft(TO_BOB), "mesh1", ADA, null).content.kind, "sealed");
});

Deno.test("a message is refused as soon as it is too long for any broker, of either version and kind", () => {
  const isTooLarge = (error: unknown) => error instanceof LocalError && error.code === "too_large";
  for (const target of [TO_BOB, TO_GROUP]) {
    const long = draft(target, { body: "x".repeat(262_144) });
    assert.throws(() => sealEntry(long, "mesh1", ADA, KEY), isTooLarge);
    sealEntry(draft(target, { body: "x".repeat(261_000) }), "mesh1", ADA, KEY);
  }
  const longest = 262_144 - 16;
  const v1 = (length: number) => draft(TO_BOB, { bodyVersion: 1, body: "x".repeat(length) });
  sealEntry(v1(longest), "mesh1", ADA, KEY);
  assert.throws(() => sealEntry(v1(longest + 3), "mesh1", ADA, KEY), isTooLarge);
});

Deno.test("an answer to something that is no id of a broker is named in the signed part alone", () => {
  const frame = frameOf(draft(TO_BOB, { replyTo: "no id: spaces" }));
  assert.equal("replyToId" in frame, false);
  const opened = openDirect(frame, BOB.secretKey, EXPECTED);
  assert.equal(opened.ok && opened.body.replyTo, "no id: spaces");
});
