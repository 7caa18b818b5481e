/**
 * The mesh key of an epoch: how it is made, sealed to each member, and how a new epoch is vouched
 * for.
 *
 * The broker stores only sealed copies. Since anybody can seal a key to a member, each new epoch
 * carries a proof: the rotating member's signature, and a MAC that only a holder of the previous
 * key can make, so that a dishonest broker cannot plant an epoch of its own.
 */
import { sealedBox, sealedBoxOpen } from "./box.ts";
import { equalBytes, fromBase64, fromHex, toBase64, toHex } from "./bytes.ts";
import { hkdfSha256, hmacSha256, sha256Hex } from "./kdf.ts";
import { randomBytes } from "./random.ts";
import { publicKeyOf, sign, verify } from "./sign.ts";
import { toX25519PublicKey, toX25519SecretKey } from "./x25519.ts";

/** Length of a mesh key. */
export const EPOCH_KEY_BYTES = 32;

/** What vouches for the key of an epoch. */
export interface RotationProof {
  /** public key of the rotating member, 64 hex; that it may rotate is for the caller to check */
  by: string;
  /** SHA-256 of the new key, 64 hex */
  keyHash: string;
  /** by the rotating member over the rotation text, 128 hex */
  signature: string;
  /**
   * HMAC-SHA-256 of the rotation text, 64 hex; null in a mesh's first epoch, which has no previous
   * key
   */
  mac: string | null;
}

/** The epoch that a proof is about. */
export interface Rotation {
  /** mesh id, without "|" */
  meshId: string;
  /** number of the new epoch, a whole number from 0 */
  epoch: number;
  /** the key of the new epoch, 32 bytes */
  newKey: Uint8Array;
  /** the key of the epoch before it, 32 bytes; null for a mesh's first epoch */
  previousKey: Uint8Array | null;
}

const HEX_64 = /^[0-9a-f]{64}$/;

/** A new mesh key: 32 random bytes. */
export function newEpochKey(): Uint8Array {
  return randomBytes(EPOCH_KEY_BYTES);
}

/**
 * `key` sealed to a member (`crypto_box_seal` to the converted Ed25519 key, 64 hex), standard
 * base64. Serves file and vault keys as well. Throws TypeError on a malformed public key.
 */
export function sealKeyFor(memberPublicKey: string, key: Uint8Array): string {
  return toBase64(sealedBox(key, toX25519PublicKey(memberPublicKey)));
}

/**
 * The key that was sealed to this member, or null when it was sealed to another or is junk. Throws
 * TypeError only on a malformed secret key (128 hex).
 */
export function openSealedKey(memberSecretKey: string, sealed: string): Uint8Array | null {
  const secretKey = toX25519SecretKey(memberSecretKey);
  const publicKey = toX25519PublicKey(publicKeyOf(memberSecretKey));
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(sealed);
  } catch {
    // Not base64, so nothing that was ever sealed.
    return null;
  }
  return sealedBoxOpen(bytes, publicKey, secretKey);
}

/**
 * Vouches for a new epoch with the rotating member's secret key. Throws TypeError on a malformed
 * rotation.
 */
export function makeRotationProof(rotation: Rotation, memberSecretKey: string): RotationProof {
  if (!isRotation(rotation)) throw new TypeError("not a rotation to vouch for");
  const by = publicKeyOf(memberSecretKey);
  const keyHash = sha256Hex(rotation.newKey);
  const text = rotationText(rotation.meshId, rotation.epoch, by, keyHash);
  const { previousKey } = rotation;
  return {
    by,
    keyHash,
    signature: sign(text, memberSecretKey),
    mac: previousKey === null ? null : toHex(rotationMac(previousKey, text)),
  };
}

/**
 * Whether `proof` vouches for exactly this rotation: hash, signature, and the MAC under the
 * previous key. With `previousKey` null there must be no MAC, and the caller must compare
 * `proof.by` with the mesh owner's key. Never throws.
 */
export function checkRotationProof(rotation: Rotation, proof: RotationProof): boolean {
  if (!isRotation(rotation) || proof.keyHash !== sha256Hex(rotation.newKey)) return false;
  if (!isSignedRotation(rotation.meshId, rotation.epoch, proof)) return false;
  const text = rotationText(rotation.meshId, rotation.epoch, proof.by, proof.keyHash);
  if (rotation.previousKey === null) return proof.mac === null;
  if (typeof proof.mac !== "string" || !HEX_64.test(proof.mac)) return false;
  return equalBytes(fromHex(proof.mac), rotationMac(rotation.previousKey, text));
}

/**
 * Whether `proof.by` signed that `epoch` begins with the key of this hash: all that somebody without
 * the keys, such as the broker, can check. Never throws.
 */
export function isSignedRotation(
  meshId: string,
  epoch: number,
  proof: Pick<RotationProof, "by" | "keyHash" | "signature">,
): boolean {
  return verify(rotationText(meshId, epoch, proof.by, proof.keyHash), proof.signature, proof.by);
}

function rotationText(meshId: string, epoch: number, by: string, keyHash: string): string {
  return `claudemesh-rotate|v1|${meshId}|${epoch}|${by}|${keyHash}`;
}

function rotationMac(previousKey: Uint8Array, text: string): Uint8Array {
  return hmacSha256(hkdfSha256(previousKey, "claudemesh/v2/rotate", 32), text);
}

function isRotation({ meshId, epoch, newKey, previousKey }: Rotation): boolean {
  return typeof meshId === "string" && meshId.length > 0 && !meshId.includes("|") &&
    Number.isSafeInteger(epoch) && epoch >= 0 && newKey.length === EPOCH_KEY_BYTES &&
    (previousKey === null || previousKey.length === EPOCH_KEY_BYTES);
}
