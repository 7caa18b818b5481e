/**
 * X25519: conversion of Ed25519 keys, ephemeral keys, and the shared key of a box.
 *
 * The curve work is node:crypto's; the conversion of public keys is noble's, HSalsa20 is
 * tweetnacl's. What is derived for good (conversions, the shared key of two lasting keys) is kept
 * in bounded caches: sealing with a cached shared key is about a hundred times faster than deriving
 * it each time.
 */
import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import nacl from "tweetnacl";
import { BoundedCache } from "./bounded_cache.ts";
import { concatBytes, fromHex, toHex, utf8Encode } from "./bytes.ts";
import { randomBytes } from "./random.ts";
import { isPublicKey, publicKeyOf } from "./sign.ts";

/** A raw X25519 key pair, 32 bytes each. */
export interface X25519KeyPair {
  /** u coordinate of the public point, 32 bytes */
  publicKey: Uint8Array;
  /** scalar, 32 bytes, not necessarily clamped */
  secretKey: Uint8Array;
}

// The fixed DER of RFC 8410 in front of the raw 32 bytes.
const PKCS8_PREFIX = fromHex("302e020100300506032b656e04220420");
const SPKI_PREFIX = fromHex("302a300506032b656e032100");

// tweetnacl exports its primitives but its typings leave them out.
const { crypto_core_hsalsa20: hsalsa20 } = (nacl as unknown as {
  lowlevel: {
    crypto_core_hsalsa20: (
      out: Uint8Array,
      input: Uint8Array,
      key: Uint8Array,
      constant: Uint8Array,
    ) => void;
  };
}).lowlevel;
const SIGMA = utf8Encode("expand 32-byte k");
const ZERO_INPUT = new Uint8Array(16);

const convertedPublicKeys = new BoundedCache<string, Uint8Array | null>(4096);
const convertedSecretKeys = new BoundedCache<string, Uint8Array>(256);
const sharedKeys = new BoundedCache<string, Uint8Array>(4096);

/**
 * The X25519 public key (32 bytes) of an Ed25519 public key (64 hex), as libsodium's
 * `crypto_sign_ed25519_pk_to_curve25519`. Throws TypeError when it is no point of the main
 * subgroup. The result is shared with a cache: do not write to it.
 */
export function toX25519PublicKey(publicKey: string): Uint8Array {
  const converted = x25519PublicKeyOrNull(publicKey);
  if (converted === null) throw new TypeError("not an Ed25519 public key");
  return converted;
}

/** As `toX25519PublicKey`, with null in place of an exception: for keys that a stranger sent. */
export function x25519PublicKeyOrNull(publicKey: string): Uint8Array | null {
  if (!isPublicKey(publicKey)) return null;
  return convertedPublicKeys.getOrMake(publicKey, convertPublicKey);
}

/**
 * The X25519 secret key (32 bytes, clamped) of an Ed25519 secret key (128 hex), as libsodium's
 * `crypto_sign_ed25519_sk_to_curve25519`. Throws TypeError when it is malformed. The result is
 * shared with a cache: do not write to it.
 */
export function toX25519SecretKey(secretKey: string): Uint8Array {
  return convertedSecretKeys.getOrMake(secretKey, convertSecretKey);
}

/** A new X25519 key pair, for one message. */
export function generateX25519(): X25519KeyPair {
  const secretKey = randomBytes(32);
  const der = createPublicKey(importSecretKey(secretKey)).export({ format: "der", type: "spki" });
  return { publicKey: new Uint8Array(der.subarray(SPKI_PREFIX.length)), secretKey };
}

/**
 * The key that a box between two X25519 keys uses (libsodium's `crypto_box_beforenm`), 32 bytes, or
 * null when the public key is of small order or not 32 bytes long. Not cached: for ephemeral keys,
 * which never come again.
 */
export function deriveBoxKey(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
  if (secretKey.length !== 32) throw new TypeError("an X25519 secret key has 32 bytes");
  if (publicKey.length !== 32) return null;
  const point = agree(importSecretKey(secretKey), importPublicKey(publicKey));
  if (point === null) return null;
  const boxKey = new Uint8Array(32);
  hsalsa20(boxKey, ZERO_INPUT, point, SIGMA);
  return boxKey;
}

/**
 * As `deriveBoxKey`, cached per pair: for two lasting keys. Throws TypeError where that gives null.
 * The result is shared with the cache: do not write to it.
 */
export function sharedBoxKey(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return sharedKeys.getOrMake(toHex(secretKey) + toHex(publicKey), () => {
    const boxKey = deriveBoxKey(secretKey, publicKey);
    if (boxKey === null) throw new TypeError("not a usable X25519 public key");
    return boxKey;
  });
}

function agree(privateKey: KeyObject, publicKey: KeyObject): Uint8Array | null {
  let point: Uint8Array;
  try {
    point = diffieHellman({ privateKey, publicKey });
  } catch {
    // Newer runtimes refuse points of small order by throwing; both keys are well-formed by now, so
    // nothing else can fail.
    return null;
  }
  // Older ones return the all-zero result that those points give with every secret.
  return point.every((byte) => byte === 0) ? null : point;
}

function convertPublicKey(publicKey: string): Uint8Array | null {
  const bytes = fromHex(publicKey);
  try {
    const point = ed25519.Point.fromBytes(bytes);
    return point.isTorsionFree() ? ed25519.utils.toMontgomery(bytes) : null;
  } catch {
    // noble throws for bytes that are no point of the curve.
    return null;
  }
}

function convertSecretKey(secretKey: string): Uint8Array {
  publicKeyOf(secretKey); // throws on a malformed key
  const hash = createHash("sha512").update(fromHex(secretKey.slice(0, 64))).digest();
  const scalar = new Uint8Array(hash.subarray(0, 32));
  scalar[0]! &= 248;
  scalar[31]! &= 127;
  scalar[31]! |= 64;
  return scalar;
}

function importSecretKey(secretKey: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, secretKey));
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function importPublicKey(publicKey: Uint8Array): KeyObject {
  const der = Buffer.from(concatBytes(SPKI_PREFIX, publicKey));
  return createPublicKey({ key: der, format: "der", type: "spki" });
}
