/**
 * What two agents say to each other about files that one of them shares from its disk: a question
 * or an answer, with bytes of a file behind it, sealed to one member and signed by the other.
 *
 * It is built as body version 2 of direct messages (CONTRACTS.md 4): a box from an ephemeral X25519
 * key, which precedes it with the nonce, and inside an Ed25519 signature over both members, mesh and
 * request. The content lies beside the signed text, which holds its SHA-256, so that it is not
 * written as text twice.
 */
import { boxOpen, boxSeal, NONCE_BYTES } from "./box.ts";
import {
  concatBytes,
  fromBase64,
  fromHex,
  toBase64,
  toHex,
  utf8Decode,
  utf8Encode,
} from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import { sha256Hex } from "./kdf.ts";
import { randomBytes } from "./random.ts";
import { isPublicKey, publicKeyOf, sign, verify } from "./sign.ts";
import { deriveBoxKey, generateX25519, toX25519PublicKey, toX25519SecretKey } from "./x25519.ts";

/** What a message is about: what whoever opens it expects of it. */
export interface PeerFileEnvelope {
  /** whether it asks or answers */
  type: "request" | "answer";
  /** mesh id, 1 to 128 characters */
  mesh: string;
  /** member public key of who wrote it, 64 hex */
  from: string;
  /** member public key of who reads it, 64 hex */
  to: string;
  /** the request's id, 1 to 128 characters, in the answer too */
  requestId: string;
}

/** A whole message. */
export interface PeerFileMessage extends PeerFileEnvelope {
  /** milliseconds since 1970 by the writer's clock */
  sentAt: number;
  /** what is asked or answered, as JSON */
  body: string;
  /** bytes of a file; empty where there are none */
  content: Uint8Array;
}

/** Why a message is not believed. */
export type PeerFileFailure = "cannot_decrypt" | "malformed" | "bad_signature" | "not_expected";

/** An opened and checked message, or the reason why it is not believed. */
export type PeerFileResult = { ok: true; message: PeerFileMessage } | {
  ok: false;
  reason: PeerFileFailure;
};

const EPHEMERAL_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const LENGTH_BYTES = 4;
const HEAD_AT = SIGNATURE_BYTES + LENGTH_BYTES;
const MAX_ID_LENGTH = 128;

/**
 * `message` sealed to `message.to`, standard base64. Throws TypeError on malformed keys, or when
 * `from` is not the public half of `senderSecretKey`.
 */
export function sealPeerFileMessage(message: PeerFileMessage, senderSecretKey: string): string {
  if (message.from !== publicKeyOf(senderSecretKey)) {
    throw new TypeError("a message is signed with the key of its sender");
  }
  const { type, mesh, from, to, requestId, sentAt, body, content } = message;
  const contentHash = sha256Hex(content);
  const head = canonicalJson({ v: 1, type, mesh, from, to, requestId, sentAt, body, contentHash });
  const bytes = utf8Encode(head);
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, bytes.length);
  const signature = fromHex(sign(signedText(head), senderSecretKey));
  const ephemeral = generateX25519();
  const boxKey = deriveBoxKey(ephemeral.secretKey, toX25519PublicKey(to));
  if (boxKey === null) throw new TypeError("not a usable recipient key");
  const nonce = randomBytes(NONCE_BYTES);
  const box = boxSeal(concatBytes(signature, length, bytes, content), nonce, boxKey);
  return toBase64(concatBytes(ephemeral.publicKey, nonce, box));
}

/**
 * Opens what was sealed to the holder of `recipientSecretKey` and checks that it is what is
 * expected. The reasons come in the order cannot_decrypt, malformed, bad_signature, not_expected.
 * Throws only on a malformed secret key.
 */
export function openPeerFileMessage(
  sealed: string,
  recipientSecretKey: string,
  expected: PeerFileEnvelope,
): PeerFileResult {
  const inside = openBox(sealed, toX25519SecretKey(recipientSecretKey));
  if (inside === null) return failed("cannot_decrypt");
  if (inside.length < HEAD_AT) return failed("malformed");
  const view = new DataView(inside.buffer, inside.byteOffset);
  const contentAt = HEAD_AT + view.getUint32(SIGNATURE_BYTES);
  if (contentAt > inside.length) return failed("malformed");
  const read = readHead(inside.subarray(HEAD_AT, contentAt));
  if (read === null) return failed("malformed");
  const { head, fields } = read;
  const signature = toHex(inside.subarray(0, SIGNATURE_BYTES));
  if (!verify(signedText(head), signature, fields.from)) return failed("bad_signature");
  const content = inside.slice(contentAt);
  if (sha256Hex(content) !== fields.contentHash) return failed("bad_signature");
  for (const name of ["type", "mesh", "from", "to", "requestId"] as const) {
    if (fields[name] !== expected[name]) return failed("not_expected");
  }
  const { type, mesh, from, to, requestId, sentAt, body } = fields;
  return { ok: true, message: { type, mesh, from, to, requestId, sentAt, body, content } };
}

interface Head extends Omit<PeerFileMessage, "content"> {
  contentHash: string;
}

function failed(reason: PeerFileFailure): PeerFileResult {
  return { ok: false, reason };
}

function signedText(head: string): string {
  return "claudemesh-peer-file|v1|" + head;
}

function openBox(sealed: string, secretKey: Uint8Array): Uint8Array | null {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(sealed);
  } catch {
    // Not base64, so nothing that was ever sealed.
    return null;
  }
  const boxAt = EPHEMERAL_KEY_BYTES + NONCE_BYTES;
  if (bytes.length < boxAt) return null;
  const boxKey = deriveBoxKey(secretKey, bytes.subarray(0, EPHEMERAL_KEY_BYTES));
  if (boxKey === null) return null;
  return boxOpen(bytes.subarray(boxAt), bytes.subarray(EPHEMERAL_KEY_BYTES, boxAt), boxKey);
}

function readHead(bytes: Uint8Array): { head: string; fields: Head } | null {
  try {
    const head = utf8Decode(bytes);
    const fields: unknown = JSON.parse(head);
    return isHead(fields) ? { head, fields } : null;
  } catch {
    // Neither UTF-8 nor JSON: the caller is told that it is malformed.
    return null;
  }
}

function isHead(value: unknown): value is Head {
  if (typeof value !== "object" || value === null) return false;
  const { v, type, mesh, from, to, requestId, sentAt, body, contentHash } = value as Record<
    string,
    unknown
  >;
  return v === 1 && (type === "request" || type === "answer") && isId(mesh) && isId(requestId) &&
    isPublicKey(from) && isPublicKey(to) && typeof sentAt === "number" &&
    Number.isSafeInteger(sentAt) && sentAt >= 0 && typeof body === "string" &&
    typeof contentHash === "string";
}

function isId(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_ID_LENGTH;
}
