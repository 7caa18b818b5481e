/**
 * libsodium's authenticated encryption: boxes, secret boxes and sealed boxes, byte for byte.
 *
 * Ciphertexts have the "easy" layout: 16 bytes of MAC, then as many bytes as the plaintext. Opening
 * returns null for everything that was not sealed so; it never throws on what a stranger sent.
 */
import { blake2b } from "@noble/hashes/blake2.js";
import nacl from "tweetnacl";
import { concatBytes } from "./bytes.ts";
import { deriveBoxKey, generateX25519 } from "./x25519.ts";

/** Bytes of a nonce, random for each message. */
export const NONCE_BYTES = 24;

/** Bytes that a box or secret box is longer than its plaintext. */
export const BOX_OVERHEAD_BYTES = 16;

/** Bytes that a sealed box is longer than its plaintext. */
export const SEALED_BOX_OVERHEAD_BYTES = 48;

const PUBLIC_KEY_BYTES = 32;
const KEY_BYTES = 32;

/**
 * `crypto_box_easy` under the shared key of two peers (`sharedBoxKey` or `deriveBoxKey`). The nonce
 * must never come twice under one key. Throws TypeError on a key or nonce of the wrong length.
 */
export function boxSeal(plain: Uint8Array, nonce: Uint8Array, boxKey: Uint8Array): Uint8Array {
  // A box is a secret box under its derived key.
  return secretboxSeal(plain, nonce, boxKey);
}

/** The plaintext of a box under the shared key of two peers, or null. */
export function boxOpen(
  sealed: Uint8Array,
  nonce: Uint8Array,
  boxKey: Uint8Array,
): Uint8Array | null {
  return secretboxOpen(sealed, nonce, boxKey);
}

/**
 * `crypto_secretbox_easy` (XSalsa20-Poly1305) under a 32-byte key. The nonce must never come twice
 * under one key. Throws TypeError on a key or nonce of the wrong length.
 */
export function secretboxSeal(plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  requireKey(key);
  if (nonce.length !== NONCE_BYTES) throw new TypeError(`a nonce has ${NONCE_BYTES} bytes`);
  return nacl.secretbox(plain, nonce, key);
}

/** The plaintext of a secret box, or null. Throws TypeError only on a key of the wrong length. */
export function secretboxOpen(
  sealed: Uint8Array,
  nonce: Uint8Array,
  key: Uint8Array,
): Uint8Array | null {
  requireKey(key);
  if (nonce.length !== NONCE_BYTES || sealed.length < BOX_OVERHEAD_BYTES) return null;
  return nacl.secretbox.open(sealed, nonce, key);
}

/**
 * `crypto_box_seal`: a box from an ephemeral key, which comes first, to `recipientPublicKey`
 * (X25519). It says nothing of its sender. Throws TypeError when the public key is unusable.
 */
export function sealedBox(plain: Uint8Array, recipientPublicKey: Uint8Array): Uint8Array {
  const ephemeral = generateX25519();
  const boxKey = deriveBoxKey(ephemeral.secretKey, recipientPublicKey);
  if (boxKey === null) throw new TypeError("not a usable X25519 public key");
  const nonce = sealedBoxNonce(ephemeral.publicKey, recipientPublicKey);
  return concatBytes(ephemeral.publicKey, boxSeal(plain, nonce, boxKey));
}

/** The plaintext of a sealed box to this X25519 key pair, or null. */
export function sealedBoxOpen(
  sealed: Uint8Array,
  recipientPublicKey: Uint8Array,
  recipientSecretKey: Uint8Array,
): Uint8Array | null {
  if (sealed.length < SEALED_BOX_OVERHEAD_BYTES) return null;
  const ephemeralPublicKey = sealed.subarray(0, PUBLIC_KEY_BYTES);
  const boxKey = deriveBoxKey(recipientSecretKey, ephemeralPublicKey);
  if (boxKey === null) return null;
  const nonce = sealedBoxNonce(ephemeralPublicKey, recipientPublicKey);
  return boxOpen(sealed.subarray(PUBLIC_KEY_BYTES), nonce, boxKey);
}

function sealedBoxNonce(ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array {
  return blake2b(concatBytes(ephemeral, recipient), { dkLen: NONCE_BYTES });
}

function requireKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new TypeError(`a key has ${KEY_BYTES} bytes`);
}
