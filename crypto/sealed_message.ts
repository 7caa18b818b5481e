/** How a sealed message travels in a frame, and what opening one gives. */
import { fromBase64, toBase64 } from "./bytes.ts";
import type { MessageFields, SignedBodyFailure } from "./message_body.ts";

/** The two fields of a frame that carry a sealed message. */
export interface SealedMessage {
  /** 24 random bytes, standard base64 */
  nonce: string;
  /** what the box holds, standard base64 */
  ciphertext: string;
}

/** Why a sealed message was not accepted; `cannot_decrypt` stands for every failure of the box. */
export type OpenFailure = "cannot_decrypt" | SignedBodyFailure;

/** An opened and checked message, or the reason why it was not accepted. */
export type OpenResult = { ok: true; body: MessageFields } | { ok: false; reason: OpenFailure };

/** The frame fields of these bytes. */
export function encodeSealed(nonce: Uint8Array, sealed: Uint8Array): SealedMessage {
  return { nonce: toBase64(nonce), ciphertext: toBase64(sealed) };
}

/** What `open` makes of the decoded fields, or null when they are not base64. */
export function openSealed(
  message: SealedMessage,
  open: (nonce: Uint8Array, sealed: Uint8Array) => Uint8Array | null,
): Uint8Array | null {
  let nonce: Uint8Array;
  let sealed: Uint8Array;
  try {
    nonce = fromBase64(message.nonce);
    sealed = fromBase64(message.ciphertext);
  } catch {
    // Not base64, so nothing that was ever sealed.
    return null;
  }
  return open(nonce, sealed);
}
