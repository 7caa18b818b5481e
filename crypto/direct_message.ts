/**
 * Direct messages, sealed to one member.
 *
 * Body version 2 (CONTRACTS.md 4) boxes the signed body from an ephemeral X25519 key, which
 * precedes the box: only the recipient's key opens it, and the sender is proved by the signature
 * inside. Body version 1 (protocol.md 4.3) boxes the bare text between the two member keys.
 */
import { boxOpen, boxSeal, NONCE_BYTES } from "./box.ts";
import { concatBytes, utf8Decode, utf8Encode } from "./bytes.ts";
import {
  decodeSignedBody,
  encodeSignedBody,
  type ExpectedMessage,
  type MessageFields,
} from "./message_body.ts";
import { randomBytes } from "./random.ts";
import { encodeSealed, type OpenResult, openSealed, type SealedMessage } from "./sealed_message.ts";
import {
  deriveBoxKey,
  generateX25519,
  sharedBoxKey,
  toX25519PublicKey,
  toX25519SecretKey,
  x25519PublicKeyOrNull,
} from "./x25519.ts";

const EPHEMERAL_KEY_BYTES = 32;

/**
 * Seals `fields` to `recipientPublicKey` (Ed25519, 64 hex) in body version 2, with an ephemeral key
 * of its own. Throws TypeError on malformed fields or keys, RangeError on too long a body.
 */
export function sealDirect(
  fields: MessageFields,
  senderSecretKey: string,
  recipientPublicKey: string,
): SealedMessage {
  const inside = encodeSignedBody(fields, senderSecretKey);
  const ephemeral = generateX25519();
  const boxKey = deriveBoxKey(ephemeral.secretKey, toX25519PublicKey(recipientPublicKey));
  if (boxKey === null) throw new TypeError("not a usable recipient key");
  const nonce = randomBytes(NONCE_BYTES);
  const box = boxSeal(inside, nonce, boxKey);
  return encodeSealed(nonce, concatBytes(ephemeral.publicKey, box));
}

/**
 * Opens body version 2 with the recipient's secret key (Ed25519, 128 hex) and checks it against its
 * frame. Throws only on a malformed secret key.
 */
export function openDirect(
  message: SealedMessage,
  recipientSecretKey: string,
  expected: ExpectedMessage,
): OpenResult {
  const secretKey = toX25519SecretKey(recipientSecretKey);
  const inside = openSealed(message, (nonce, sealed) => {
    const boxKey = deriveBoxKey(secretKey, sealed.subarray(0, EPHEMERAL_KEY_BYTES));
    return boxKey && boxOpen(sealed.subarray(EPHEMERAL_KEY_BYTES), nonce, boxKey);
  });
  if (inside === null) return { ok: false, reason: "cannot_decrypt" };
  return decodeSignedBody(inside, expected);
}

/**
 * Seals `text` in body version 1, for peers that do not read 2. Throws TypeError on malformed keys.
 */
export function sealDirectV1(
  text: string,
  senderSecretKey: string,
  recipientPublicKey: string,
): SealedMessage {
  const boxKey = sharedBoxKey(
    toX25519SecretKey(senderSecretKey),
    toX25519PublicKey(recipientPublicKey),
  );
  const nonce = randomBytes(NONCE_BYTES);
  return encodeSealed(nonce, boxSeal(utf8Encode(text), nonce, boxKey));
}

/**
 * The text of a body version 1 from `senderPublicKey`, or null. It proves that one of the two key
 * holders wrote it, and nothing about mesh, id or time. Throws only on a malformed secret key.
 */
export function openDirectV1(
  message: SealedMessage,
  recipientSecretKey: string,
  senderPublicKey: string,
): string | null {
  const secretKey = toX25519SecretKey(recipientSecretKey);
  const publicKey = x25519PublicKeyOrNull(senderPublicKey);
  if (publicKey === null) return null;
  const boxKey = sharedBoxKey(secretKey, publicKey);
  const plain = openSealed(message, (nonce, sealed) => boxOpen(sealed, nonce, boxKey));
  if (plain === null) return null;
  try {
    return utf8Decode(plain);
  } catch {
    // Authentic bytes that are no text are as good as none.
    return null;
  }
}
