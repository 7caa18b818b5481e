/**
 * Ed25519 key pairs, signatures and their check, through node:crypto.
 *
 * A public key is 64 lower-case hex characters. A secret key is libsodium's 64-byte form (seed,
 * then public key) as 128 hex characters. Imported keys are kept in bounded caches.
 */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import { BoundedCache } from "./bounded_cache.ts";
import { concatBytes, fromHex, toHex, utf8Encode } from "./bytes.ts";
import { randomBytes } from "./random.ts";

/** An Ed25519 key pair in the text forms that every function here takes. */
export interface KeyPair {
  /** 64 lower-case hex characters */
  publicKey: string;
  /** 128 lower-case hex characters: seed, then public key */
  secretKey: string;
}

const PUBLIC_KEY = /^[0-9a-f]{64}$/;
const SECRET_KEY = /^[0-9a-f]{128}$/;
const SIGNATURE = /^[0-9a-f]{128}$/i;

// The fixed DER of RFC 8410 in front of the raw 32 bytes.
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420");
const SPKI_PREFIX = fromHex("302a300506032b6570032100");

// The y coordinates (sign bit clear) of the points of order 1, 2, 4 and 8, the two that have a
// second encoding included. Anybody can sign for such a key, so none is ever accepted.
const SMALL_ORDER_KEYS: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

const publicKeys = new BoundedCache<string, KeyObject>(4096);
const privateKeys = new BoundedCache<string, KeyObject>(256);

/** A new key pair from the system's generator. */
export function generateKeyPair(): KeyPair {
  return keyPairFromSeed(randomBytes(32));
}

/** The key pair of a 32-byte seed (RFC 8032). Throws TypeError on another length. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== 32) throw new TypeError(`a seed has 32 bytes, not ${seed.length}`);
  const publicKey = toHex(publicBytesOf(importSeed(seed)));
  return { publicKey, secretKey: toHex(seed) + publicKey };
}

/**
 * The public half of a secret key. Throws TypeError when it is not 128 lower-case hex characters.
 */
export function publicKeyOf(secretKey: string): string {
  if (!SECRET_KEY.test(secretKey)) throw new TypeError("not an Ed25519 secret key");
  return secretKey.slice(64);
}

/**
 * Detached Ed25519 signature of `message` (text is signed as UTF-8): 128 lower-case hex characters.
 * Throws TypeError when the secret key is malformed or its halves do not belong together.
 */
export function sign(message: string | Uint8Array, secretKey: string): string {
  const key = privateKeys.getOrMake(secretKey, importSecretKey);
  return toHex(signBytes(null, messageBytes(message), key));
}

/**
 * Whether `signature` (128 hex) is that of `message` by `publicKey` (64 lower-case hex). Junk of
 * any kind and keys of small order give false; it never throws.
 */
export function verify(
  message: string | Uint8Array,
  signature: string,
  publicKey: string,
): boolean {
  if (!isPublicKey(publicKey) || !isSignature(signature)) return false;
  try {
    const key = publicKeys.getOrMake(publicKey, importPublicKey);
    return verifyBytes(null, messageBytes(message), key, fromHex(signature));
  } catch {
    // Only a key that is no curve point gets here, and such a key has signed nothing.
    return false;
  }
}

/** Whether `value` is a public key: 64 lower-case hex characters, and no key of small order. */
export function isPublicKey(value: unknown): value is string {
  return typeof value === "string" && PUBLIC_KEY.test(value) &&
    !SMALL_ORDER_KEYS.has(withoutSignBit(value));
}

/** Whether `value` has the shape of a signature: 128 hex characters of either case. */
export function isSignature(value: unknown): value is string {
  return typeof value === "string" && SIGNATURE.test(value);
}

function withoutSignBit(publicKey: string): string {
  const last = parseInt(publicKey.slice(62), 16) & 0x7f;
  return publicKey.slice(0, 62) + last.toString(16).padStart(2, "0");
}

function messageBytes(message: string | Uint8Array): Uint8Array {
  return typeof message === "string" ? utf8Encode(message) : message;
}

function importSeed(seed: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function importSecretKey(secretKey: string): KeyObject {
  const publicKey = publicKeyOf(secretKey);
  const key = importSeed(fromHex(secretKey.slice(0, 64)));
  if (toHex(publicBytesOf(key)) !== publicKey) {
    throw new TypeError("the halves of this Ed25519 secret key do not belong together");
  }
  return key;
}

function importPublicKey(publicKey: string): KeyObject {
  const der = Buffer.from(concatBytes(SPKI_PREFIX, fromHex(publicKey)));
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

function publicBytesOf(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(SPKI_PREFIX.length));
}
