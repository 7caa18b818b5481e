/**
 * An invite's secret as the broker keeps it: sealed under a key derived from the mesh key of an epoch, so that every agent
 * that may invite can check the claims of a link that another one made. Base64 of nonce and secret box.
 */
import { NONCE_BYTES, secretboxOpen, secretboxSeal } from "../../crypto/box.ts";
import { concatBytes, fromBase64, toBase64 } from "../../crypto/bytes.ts";
import { INVITE_SECRET_BYTES } from "../../crypto/invite_v2.ts";
import { hkdfSha256 } from "../../crypto/kdf.ts";
import { randomBytes } from "../../crypto/random.ts";

const PURPOSE = "claudemesh/v2/invite-secret";

/** Seals an invite's secret (16 bytes) under the mesh key of an epoch (32 bytes). */
export function sealInviteSecret(secret: Uint8Array, epochKey: Uint8Array): string {
  const nonce = randomBytes(NONCE_BYTES);
  return toBase64(concatBytes(nonce, secretboxSeal(secret, nonce, sealingKey(epochKey))));
}

/** The secret in `sealed`, null when it was not sealed under this key. */
export function openInviteSecret(sealed: string, epochKey: Uint8Array): Uint8Array | null {
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(sealed);
  } catch {
    // Not base64, so nothing that was ever sealed.
    return null;
  }
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const secret = secretboxOpen(bytes.subarray(NONCE_BYTES), nonce, sealingKey(epochKey));
  return secret?.length === INVITE_SECRET_BYTES ? secret : null;
}

function sealingKey(epochKey: Uint8Array): Uint8Array {
  return hkdfSha256(epochKey, PURPOSE, 32);
}
