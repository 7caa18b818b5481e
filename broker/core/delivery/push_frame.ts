/**
 * Push frames (reference protocol 3.1), written once for each message, however many get it.
 */
import type { MessageBody } from "../../../storage/sql/queries/message_store.ts";
import type { OpenMessage } from "./open_message.ts";

/** Frames joined into one push_batch stay below this, in characters. */
const MAX_BATCH_CHARS = 262_144;
const BATCH_HEAD = '{"type":"push_batch","pushes":[';

/**
 * Returns the text of a message's push. What members send is put in as it is, for the API takes
 * nothing but base64: it is neither looked through for quotes nor copied before it is sent.
 */
export function pushFrame(message: OpenMessage, body: MessageBody): string {
  const { sender } = message;
  const [only] = message.recipients;
  const toMember = message.capability === "dm" && only !== undefined ? only.pubkey : undefined;
  const head = JSON.stringify({
    type: "push",
    messageId: message.id,
    meshId: message.meshId,
    senderPubkey: message.senderSessionPubkey ?? sender.pubkey,
    senderMemberPubkey: sender.pubkey,
    senderMemberId: sender.id,
    senderName: message.senderName,
    targetSpec: message.targetSpec,
    toMember,
    priority: message.priority,
    bodyVersion: body.bodyVersion,
    epoch: body.epoch ?? undefined,
    createdAt: new Date(message.createdAtMs).toISOString(),
    expiresAt: new Date(message.expiresAtMs).toISOString(),
    client_message_id: message.clientMessageId ?? undefined,
    request_fingerprint: body.requestFingerprint ?? undefined,
    replyToId: body.replyToId ?? undefined,
    subtype: body.subtype ?? undefined,
  });
  const { nonce, ciphertext, subtype } = body;
  const isBase64 = subtype === null;
  const text = isBase64 ? `"${ciphertext}"` : JSON.stringify(ciphertext);
  return `${head.slice(0, -1)},"nonce":${JSON.stringify(nonce)},"ciphertext":${text}}`;
}

/** Returns a push with the reason why it comes now. */
export function withReason(frame: string, reason: string): string {
  return `${frame.slice(0, -1)},"reason":${JSON.stringify(reason)}}`;
}

/**
 * Joins pushes into batches; remembers the last one, for the next recipient often gets the same.
 */
export class BatchJoiner {
  #frames: readonly string[] = [];
  #joined: readonly string[] = [];

  /**
   * Returns the frames that carry all of `frames`, in order, to a client that understands
   * push_batch.
   */
  join(frames: readonly string[]): readonly string[] {
    if (frames.length <= 1) return frames;
    if (isSame(frames, this.#frames)) return this.#joined;
    const joined: string[] = [];
    let from = 0;
    let chars = 0;
    for (let index = 0; index < frames.length; index++) {
      const length = frames[index]?.length ?? 0;
      if (index > from && chars + length > MAX_BATCH_CHARS) {
        joined.push(batchFrame(frames.slice(from, index)));
        from = index;
        chars = 0;
      }
      chars += length;
    }
    joined.push(batchFrame(frames.slice(from)));
    this.#frames = frames;
    this.#joined = joined;
    return joined;
  }

  /** Forgets the last batch. */
  clear(): void {
    this.#frames = [];
    this.#joined = [];
  }
}

function batchFrame(frames: readonly string[]): string {
  const [first = "", ...others] = frames;
  if (others.length === 0) return first;
  const last = others.pop() ?? "";
  // One join, so that all of it is copied once.
  return [`${BATCH_HEAD}${first}`, ...others, `${last}]}`].join(",");
}

/** The same strings: frames are kept, so equal ones are mostly identical and compare at once. */
function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((frame, index) => frame === others[index]);
}
