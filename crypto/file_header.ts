/**
 * What stands in front of a shared file's chunks: a public beginning, then the facts of the file,
 * signed by who shared it and sealed under the file key.
 *
 * Layout: "CMF", a version byte (1), the nonce prefix of the chunks (7 bytes), the length of the
 * sealed facts (2 bytes, big endian), the sealed facts (AES-256-GCM). The facts are canonical JSON,
 * padded with blanks, with an Ed25519 signature over mesh, file id, name, size and SHA-256 of the content: a broker can
 * neither put another file in its place nor make one up, and nor can another member.
 */
import { concatBytes, toHex, utf8Decode, utf8Encode } from "./bytes.ts";
import { canonicalJson } from "./canonical_json.ts";
import { deriveFileKey, type FilePlace } from "./file_key.ts";
import { NONCE_PREFIX_BYTES } from "./file_stream.ts";
import { isPublicKey, isSignature, publicKeyOf, sign, verify } from "./sign.ts";

/** Bytes of the public beginning, which tells how long a header is. */
export const HEADER_START_BYTES = 13;

/** Bytes of every header that is made here, whatever is in it: known before the file has an id. */
export const FILE_HEADER_BYTES = 4_096;

/** Upper bound of a header that is read. */
export const MAX_HEADER_BYTES = 8_192;

/** What who shared a file says of it. */
export interface FileFacts {
  /** mesh id */
  mesh: string;
  /** file id */
  file: string;
  /** the file's name as it was shared, 1 to 255 characters; of a stranger: not fit for a disk */
  name: string;
  /** bytes of the content */
  sizeBytes: number;
  /** SHA-256 of the content, 64 hex */
  sha256: string;
  /** member public key of who shared it, 64 hex */
  by: string;
  /** milliseconds since 1970 by the sharer's clock */
  sharedAt: number;
}

/** Why a header is not believed. */
export type HeaderFailure =
  | "malformed"
  | "cannot_decrypt"
  | "wrong_sender"
  | "bad_signature"
  | "wrong_place";

/** A file's facts, or the first reason why they are not believed. */
export type HeaderResult = { ok: true; facts: FileFacts } | { ok: false; reason: HeaderFailure };

const MAGIC = utf8Encode("CMF");
const VERSION = 1;
const PREFIX_AT = 4;
const LENGTH_AT = PREFIX_AT + NONCE_PREFIX_BYTES;
const TAG_BYTES = 16;
const MAX_NAME_LENGTH = 255;
const MAX_ID_LENGTH = 128;
const SHA_256 = /^[0-9a-f]{64}$/;

/**
 * The header of a file. `noncePrefix` has 7 random bytes and serves this header and its chunks
 * alone. Throws TypeError when a fact is malformed or `by` is not the public half of `secretKey`.
 */
export async function sealFileHeader(
  facts: FileFacts,
  fileKey: Uint8Array,
  noncePrefix: Uint8Array,
  secretKey: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const picked = pickFacts(facts);
  if (!areFacts(picked)) throw new TypeError("a fact of this file is missing or malformed");
  if (facts.by !== publicKeyOf(secretKey)) {
    throw new TypeError("a file's facts are signed with the key of who shares it");
  }
  if (noncePrefix.length !== NONCE_PREFIX_BYTES) {
    throw new TypeError(`a nonce prefix has ${NONCE_PREFIX_BYTES} bytes`);
  }
  const sig = sign(signedText(picked), secretKey);
  // JSON ends in any number of blanks, so that every header is as long as every other.
  const plain = new Uint8Array(FILE_HEADER_BYTES - HEADER_START_BYTES - TAG_BYTES).fill(0x20);
  plain.set(utf8Encode(canonicalJson({ ...picked, sig })));
  const start = new Uint8Array(HEADER_START_BYTES);
  start.set(MAGIC);
  start[MAGIC.length] = VERSION;
  start.set(noncePrefix, PREFIX_AT);
  new DataView(start.buffer).setUint16(LENGTH_AT, plain.length + TAG_BYTES);
  const key = await headerKey(fileKey, { meshId: facts.mesh, fileId: facts.file });
  const sealed = await crypto.subtle.encrypt(gcm(start), key, plain);
  return concatBytes(start, new Uint8Array(sealed));
}

/**
 * How many bytes the header has whose first `HEADER_START_BYTES` these are; null when they begin no
 * file of a version that this program reads.
 */
export function headerLength(start: Uint8Array): number | null {
  if (start.length < HEADER_START_BYTES) return null;
  const isOurs = toHex(start.subarray(0, MAGIC.length)) === toHex(MAGIC) &&
    start[MAGIC.length] === VERSION;
  if (!isOurs) return null;
  const length = HEADER_START_BYTES +
    new DataView(start.buffer, start.byteOffset).getUint16(LENGTH_AT);
  return length <= MAX_HEADER_BYTES ? length : null;
}

/** The 7 bytes that the nonces of this header's file begin with. */
export function noncePrefixOf(header: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(header.subarray(PREFIX_AT, LENGTH_AT));
}

/**
 * Opens a whole header and checks that `by` signed it for this place. The reasons come in the order
 * malformed, cannot_decrypt, wrong_sender, bad_signature, wrong_place. Throws only on a file key or
 * id that is none.
 */
export async function openFileHeader(
  header: Uint8Array,
  fileKey: Uint8Array,
  expected: FilePlace & { by: string },
): Promise<HeaderResult> {
  const key = await headerKey(fileKey, expected);
  if (headerLength(header) !== header.length) return failed("malformed");
  const start = new Uint8Array(header.subarray(0, HEADER_START_BYTES));
  const sealed = new Uint8Array(header.subarray(HEADER_START_BYTES));
  let plain: ArrayBuffer;
  try {
    plain = await crypto.subtle.decrypt(gcm(start), key, sealed);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "OperationError")) throw error;
    return failed("cannot_decrypt");
  }
  const parsed = parseObject(new Uint8Array(plain));
  if (parsed === null) return failed("malformed");
  const { sig, ...facts } = parsed;
  if (!areFacts(facts) || !isSignature(sig)) return failed("malformed");
  if (facts.by !== expected.by) return failed("wrong_sender");
  const known = pickFacts(facts);
  if (!verify(signedText(known), sig, known.by)) return failed("bad_signature");
  if (facts.mesh !== expected.meshId || facts.file !== expected.fileId) {
    return failed("wrong_place");
  }
  return { ok: true, facts: known };
}

function failed(reason: HeaderFailure): HeaderResult {
  return { ok: false, reason };
}

function signedText(facts: FileFacts): string {
  return "claudemesh-file|v1|" + canonicalJson(facts);
}

async function headerKey(fileKey: Uint8Array, place: FilePlace): Promise<CryptoKey> {
  const bytes = new Uint8Array(deriveFileKey(fileKey, place, "header"));
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** The key is of this header alone, so that a nonce of its prefix and zeros comes only once. */
function gcm(start: Uint8Array<ArrayBuffer>): AesGcmParams {
  const iv = new Uint8Array(12);
  iv.set(noncePrefixOf(start));
  return { name: "AES-GCM", iv, additionalData: start, tagLength: TAG_BYTES * 8 };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(utf8Decode(bytes));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? value as Record<string, unknown> : null;
  } catch {
    // Neither UTF-8 nor JSON: the caller is told that it is malformed.
    return null;
  }
}

function areFacts(value: object): value is FileFacts {
  const { mesh, file, name, sizeBytes, sha256, by, sharedAt } = value as Record<string, unknown>;
  return isId(mesh) && isId(file) &&
    typeof name === "string" && name.length > 0 && name.length <= MAX_NAME_LENGTH &&
    isCount(sizeBytes) && isCount(sharedAt) && isPublicKey(by) &&
    typeof sha256 === "string" && SHA_256.test(sha256);
}

function isId(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_ID_LENGTH;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function pickFacts(facts: FileFacts): FileFacts {
  const { mesh, file, name, sizeBytes, sha256, by, sharedAt } = facts;
  return { mesh, file, name, sizeBytes, sha256, by, sharedAt };
}
