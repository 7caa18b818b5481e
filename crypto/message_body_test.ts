/** Tests of the signed body: what is believed, and the reason for each refusal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8Decode, utf8Encode } from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import {
  decodeSignedBody,
  encodeSignedBody,
  MAX_SIGNED_BODY_BYTES,
  type MessageFields,
} from "./message_body.ts";
import { generateKeyPair, keyPairFromSeed, sign } from "./sign.ts";

const alice = keyPairFromSeed(new Uint8Array(32).fill(1));
const bob = keyPairFromSeed(new Uint8Array(32).fill(2));

const fields: MessageFields = {
  id: "message_1",
  mesh: "mesh_1",
  from: alice.publicKey,
  to: bob.publicKey,
  sentAt: 1_767_225_600_000,
  priority: "next",
  type: "text",
  body: "hello",
};
const expected = { mesh: "mesh_1", from: alice.publicKey, to: bob.publicKey, id: "message_1" };

/** A body that its sender signed although the encoder would not have made it. */
function signAnyway(signed: Record<string, unknown>): Uint8Array {
  const sig = sign(canonicalJson(signed), alice.secretKey);
  return utf8Encode(canonicalJson({ ...signed, sig }));
}

Deno.test("the text on the wire is canonical JSON with the version and the signature", () => {
  const text = utf8Decode(encodeSignedBody(fields, alice.secretKey));
  const sig = sign(canonicalJson({ v: 2, ...fields }), alice.secretKey);
  assert.equal(text, canonicalJson({ v: 2, ...fields, sig }));
});

Deno.test("what was encoded decodes to the same fields", () => {
  const text = fc.string({ minLength: 1, maxLength: 64, unit: "grapheme" });
  const message = fc.record({
    id: text,
    mesh: text,
    to: text,
    type: text,
    replyTo: text,
    body: fc.string({ unit: "binary" }),
    sentAt: fc.maxSafeNat(),
    priority: fc.constantFrom("now", "next", "low"),
  }, { requiredKeys: ["id", "mesh", "to", "type", "body", "sentAt", "priority"] });
  fc.assert(fc.property(message, (message) => {
    const fits = (["id", "mesh", "to", "type", "replyTo"] as const).every((name) =>
      (message[name] ?? "").length <= 64
    );
    fc.pre(fits);
    const fields = { ...message, from: alice.publicKey } as MessageFields;
    const bytes = encodeSignedBody(fields, alice.secretKey);
    assert.deepEqual(decodeSignedBody(bytes, fields), { ok: true, body: fields });
  }));
});

Deno.test("a body that differs from its frame is refused with the field that differs", () => {
  const bytes = encodeSignedBody(fields, alice.secretKey);
  const cases = [
    [{ mesh: "mesh_2" }, "wrong_mesh"],
    [{ from: bob.publicKey }, "wrong_sender"],
    [{ to: alice.publicKey }, "wrong_target"],
    [{ id: "message_2" }, "wrong_id"],
  ] as const;
  for (const [change, reason] of cases) {
    const result = decodeSignedBody(bytes, { ...expected, ...change });
    assert.deepEqual(result, { ok: false, reason });
  }
});

Deno.test("a change to any field after signing is a bad signature", () => {
  const sent = JSON.parse(utf8Decode(encodeSignedBody(fields, alice.secretKey)));
  const changes = [
    { body: "hullo" },
    { priority: "now" },
    { sentAt: 1 },
    { type: "ping" },
    { replyTo: "message_0" },
    { added: true },
  ];
  for (const change of changes) {
    const bytes = utf8Encode(JSON.stringify({ ...sent, ...change }));
    assert.deepEqual(decodeSignedBody(bytes, expected), { ok: false, reason: "bad_signature" });
  }
});

Deno.test("a signature by another than the named sender is refused", () => {
  const mallory = generateKeyPair();
  const signed = { v: 2, ...fields };
  const sig = sign(canonicalJson(signed), mallory.secretKey);
  const bytes = utf8Encode(canonicalJson({ ...signed, sig }));
  assert.deepEqual(decodeSignedBody(bytes, expected), { ok: false, reason: "bad_signature" });
});

Deno.test("a field that a later version added is covered by the signature and skipped", () => {
  const bytes = signAnyway({ v: 2, ...fields, thread: { deep: [1] } });
  assert.deepEqual(decodeSignedBody(bytes, expected), { ok: true, body: fields });
});

Deno.test("a field of the wrong shape is malformed, however well signed", () => {
  const changes = [
    { v: 1 },
    { id: "" },
    { id: "x".repeat(129) },
    { mesh: 1 },
    { from: alice.publicKey.toUpperCase() },
    { to: "x".repeat(641) },
    { sentAt: -1 },
    { sentAt: 1.5 },
    { priority: "urgent" },
    { type: "x".repeat(65) },
    { replyTo: null },
    { body: ["hello"] },
  ];
  for (const change of changes) {
    const bytes = signAnyway({ v: 2, ...fields, ...change });
    const result = decodeSignedBody(bytes, expected);
    assert.deepEqual(result, { ok: false, reason: "malformed" }, JSON.stringify(change));
    const bad = { ...fields, ...change } as unknown as MessageFields;
    if (!("v" in change)) assert.throws(() => encodeSignedBody(bad, alice.secretKey), TypeError);
  }
});

Deno.test("junk is malformed and never throws", () => {
  const deep = `{"a":${"[".repeat(200)}${"]".repeat(200)}}`;
  const tooDeep = { v: 2, ...fields, sig: "00".repeat(64), extra: JSON.parse(deep) };
  const junk = ["", "null", "[]", "1", "{}", deep, JSON.stringify(tooDeep)].map(utf8Encode);
  junk.push(Uint8Array.of(0xff), new Uint8Array(MAX_SIGNED_BODY_BYTES + 1));
  for (const bytes of junk) {
    assert.deepEqual(decodeSignedBody(bytes, expected), { ok: false, reason: "malformed" });
  }
  fc.assert(fc.property(fc.uint8Array(), fc.json(), (bytes, json) => {
    assert.ok(!decodeSignedBody(bytes, expected).ok);
    assert.ok(!decodeSignedBody(utf8Encode(json), expected).ok);
  }));
});

Deno.test("a body of exactly the greatest length is accepted and one byte more is not", () => {
  const empty = encodeSignedBody({ ...fields, body: "" }, alice.secretKey).length;
  const body = "x".repeat(MAX_SIGNED_BODY_BYTES - empty);
  const bytes = encodeSignedBody({ ...fields, body }, alice.secretKey);
  assert.equal(bytes.length, MAX_SIGNED_BODY_BYTES);
  assert.ok(decodeSignedBody(bytes, expected).ok);
  const longer = { ...fields, body: body + "x" };
  assert.throws(() => encodeSignedBody(longer, alice.secretKey), RangeError);
});

Deno.test("nobody signs in another's name", () => {
  assert.throws(() => encodeSignedBody(fields, bob.secretKey), TypeError);
});
