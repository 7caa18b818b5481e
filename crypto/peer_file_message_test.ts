/** Tests of what agents say to each other about peer files, with libsodium as second opinion. */
import assert from "node:assert/strict";
import fc from "fast-check";
import sodium from "libsodium-wrappers-sumo";
import { concatBytes, fromBase64, fromHex, toBase64, toHex, utf8Encode } from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import { sha256 } from "./kdf.ts";
import {
  openPeerFileMessage,
  type PeerFileEnvelope,
  type PeerFileMessage,
  sealPeerFileMessage,
} from "./peer_file_message.ts";
import { generateKeyPair, keyPairFromSeed, sign } from "./sign.ts";

await sodium.ready;

const alice = keyPairFromSeed(new Uint8Array(32).fill(1));
const bob = keyPairFromSeed(new Uint8Array(32).fill(2));
const mallory = generateKeyPair();
const content = utf8Encode("file body");
const message: PeerFileMessage = {
  type: "answer",
  mesh: "mesh_1",
  from: alice.publicKey,
  to: bob.publicKey,
  requestId: "request_1",
  sentAt: 1_767_225_600_000,
  body: '{"ok":true}',
  content,
};

function headOf(fields: PeerFileMessage): string {
  const { content, ...head } = fields;
  return canonicalJson({ v: 1, ...head, contentHash: toHex(sha256(content)) });
}

function inner(head: string, signature: string, bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, utf8Encode(head).length);
  return concatBytes(fromHex(signature), length, utf8Encode(head), bytes);
}

/** Seals `inside` to Bob with libsodium. */
function boxed(inside: Uint8Array): string {
  const ephemeral = sodium.crypto_box_keypair();
  const nonce = sodium.randombytes_buf(24);
  const to = sodium.crypto_sign_ed25519_pk_to_curve25519(fromHex(bob.publicKey));
  const box = sodium.crypto_box_easy(inside, nonce, to, ephemeral.privateKey);
  return toBase64(concatBytes(ephemeral.publicKey, nonce, box));
}

function signedBy(secretKey: string, head: string): string {
  return sign("claudemesh-peer-file|v1|" + head, secretKey);
}

Deno.test("the recipient opens a message with its content, and nobody else does", () => {
  const sealed = sealPeerFileMessage(message, alice.secretKey);
  assert.deepEqual(openPeerFileMessage(sealed, bob.secretKey, message), { ok: true, message });
  for (const keys of [alice, mallory]) {
    const result = openPeerFileMessage(sealed, keys.secretKey, message);
    assert.deepEqual(result, { ok: false, reason: "cannot_decrypt" });
  }
});

Deno.test("libsodium opens the box, and what it seals from the description is opened", () => {
  const bytes = fromBase64(sealPeerFileMessage(message, alice.secretKey));
  const secretKey = sodium.crypto_sign_ed25519_sk_to_curve25519(fromHex(bob.secretKey));
  const inside = sodium.crypto_box_open_easy(
    bytes.subarray(56),
    bytes.subarray(32, 56),
    bytes.subarray(0, 32),
    secretKey,
  );
  const head = headOf(message);
  const byHand = inner(head, signedBy(alice.secretKey, head), content);
  assert.equal(toHex(inside), toHex(byHand));
  const result = openPeerFileMessage(boxed(byHand), bob.secretKey, message);
  assert.deepEqual(result, { ok: true, message });
});

Deno.test("the signed text of a fixed message is the golden vector", () => {
  const digest = toHex(sha256(signedBy(alice.secretKey, headOf(message))));
  assert.equal(digest, "2630cd5dad6add833493849aca503c649c925ef1ff4331c68b52b7c520621d3b");
});

Deno.test("an answer to another request, member, mesh or of another sort is not taken", () => {
  const sealed = sealPeerFileMessage(message, alice.secretKey);
  const others: Partial<PeerFileEnvelope>[] = [
    { requestId: "request_2" },
    { mesh: "mesh_2" },
    { type: "request" },
    { from: mallory.publicKey },
    { to: mallory.publicKey },
  ];
  for (const other of others) {
    const result = openPeerFileMessage(sealed, bob.secretKey, { ...message, ...other });
    assert.deepEqual(result, { ok: false, reason: "not_expected" });
  }
});

Deno.test("what somebody else signed, or other content than was signed, is refused", () => {
  const head = headOf(message);
  const forgeries = [
    inner(head, signedBy(mallory.secretKey, head), content),
    inner(head, signedBy(alice.secretKey, head), utf8Encode("other body")),
    inner(head, signedBy(alice.secretKey, head), concatBytes(content, content)),
    inner(head.replace("true", "null"), signedBy(alice.secretKey, head), content),
  ];
  for (const forgery of forgeries) {
    const result = openPeerFileMessage(boxed(forgery), bob.secretKey, message);
    assert.deepEqual(result, { ok: false, reason: "bad_signature" });
  }
});

Deno.test("what is inside but no message is refused", () => {
  const heads = [
    "",
    "[]",
    "no json",
    canonicalJson({ v: 2 }),
    headOf(message).replace('"v":1', '"v":2'),
  ];
  for (const head of heads) {
    const signature = signedBy(alice.secretKey, head);
    const result = openPeerFileMessage(
      boxed(inner(head, signature, content)),
      bob.secretKey,
      message,
    );
    assert.deepEqual(result, { ok: false, reason: "malformed" }, head);
  }
  for (const length of [0, 67]) {
    const result = openPeerFileMessage(boxed(new Uint8Array(length)), bob.secretKey, message);
    assert.deepEqual(result, { ok: false, reason: "malformed" });
  }
});

Deno.test("junk opens as nothing and never throws", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String()), (sealed) => {
    const result = openPeerFileMessage(sealed, bob.secretKey, message);
    assert.deepEqual(result, { ok: false, reason: "cannot_decrypt" });
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (inside) => {
    assert.equal(openPeerFileMessage(boxed(inside), bob.secretKey, message).ok, false);
  }));
});

Deno.test("only the sender's own key signs", () => {
  assert.throws(() => sealPeerFileMessage(message, mallory.secretKey), TypeError);
});
