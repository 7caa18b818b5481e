/**
 * Messages to a group or to the whole mesh: the signed body of `message_body.ts` in a secret box
 * whose key is HKDF-SHA-256 of the mesh key of one epoch, for one target (CONTRACTS.md 4).
 *
 * The frame names the epoch; the signature inside names mesh, sender, target and id.
 */
import { BoundedCache } from "./bounded_cache.ts";
import { NONCE_BYTES, secretboxOpen, secretboxSeal } from "./box.ts";
import { toHex } from "./bytes.ts";
import { hkdfSha256 } from "./kdf.ts";
import {
  decodeSignedBody,
  encodeSignedBody,
  type ExpectedMessage,
  type MessageFields,
} from "./message_body.ts";
import { EPOCH_KEY_BYTES } from "./mesh_key.ts";
import { randomBytes } from "./random.ts";
import { encodeSealed, type OpenResult, openSealed, type SealedMessage } from "./sealed_message.ts";

const targetKeys = new BoundedCache<string, Uint8Array>(1024);

/**
 * Seals `fields` for everyone who holds `epochKey` (32 bytes); the target is `fields.to`, in the
 * exact spelling of the frame ("@group", "*"). Throws TypeError on malformed fields or keys,
 * RangeError on too long a body.
 */
export function sealGroup(
  fields: MessageFields,
  senderSecretKey: string,
  epochKey: Uint8Array,
): SealedMessage {
  const inside = encodeSignedBody(fields, senderSecretKey);
  const nonce = randomBytes(NONCE_BYTES);
  return encodeSealed(nonce, secretboxSeal(inside, nonce, targetKey(epochKey, fields.to)));
}

/**
 * Opens a group message with the key of its epoch and checks it against its frame; the target is
 * `expected.to`. Throws only on an epoch key of the wrong length.
 */
export function openGroup(
  message: SealedMessage,
  epochKey: Uint8Array,
  expected: ExpectedMessage,
): OpenResult {
  const key = targetKey(epochKey, expected.to);
  const inside = openSealed(message, (nonce, sealed) => secretboxOpen(sealed, nonce, key));
  if (inside === null) return { ok: false, reason: "cannot_decrypt" };
  return decodeSignedBody(inside, expected);
}

function targetKey(epochKey: Uint8Array, target: string): Uint8Array {
  if (epochKey.length !== EPOCH_KEY_BYTES) {
    throw new TypeError(`an epoch key has ${EPOCH_KEY_BYTES} bytes`);
  }
  return targetKeys.getOrMake(
    toHex(epochKey) + target,
    () => hkdfSha256(epochKey, "claudemesh/v2/" + target, 32),
  );
}
