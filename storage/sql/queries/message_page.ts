/**
 * What the messages of one commit say, packed into one value: for each message a JSON array (its
 * head), then its ciphertext as it is. Rows name the place and the lengths of both in bytes.
 */
import type { MessageBody, MessageHead, MessageRow } from "./message_store.ts";

/** The texts of messages and where each lies. */
export interface MessagePage {
  /** The place in the log of its first message, by which it is known. */
  readonly firstSeq: number;
  /** UTF-8. */
  readonly texts: Uint8Array<ArrayBuffer>;
  readonly placed: readonly PlacedMessage[];
}

/** A message and, in bytes, where its part of the page begins and how long its head and ciphertext are. */
export interface PlacedMessage {
  readonly row: MessageRow;
  /** The page's `firstSeq`. */
  readonly page: number;
  readonly place: number;
  readonly headBytes: number;
  readonly bodyBytes: number;
}

/** What of a head is not in the message's row. */
export type PackedHead = Pick<
  MessageHead,
  "senderSessionPubkey" | "targetSpec" | "priority" | "size"
>;

const encoder = new TextEncoder();

/** Packs messages, at least one, in their order. */
export function packMessages(rows: readonly MessageRow[]): MessagePage {
  const parts: string[] = [];
  let characters = 0;
  for (const row of rows) {
    const head = packHead(row);
    parts.push(head, row.ciphertext);
    characters += head.length + row.ciphertext.length;
  }
  const texts = encoder.encode(parts.join(""));
  const isAscii = texts.length === characters;
  const lengths = parts.map((part) => isAscii ? part.length : encoder.encode(part).length);
  const firstSeq = rows[0]?.seq ?? 0;
  let end = 0;
  const placed = rows.map((row, index) => {
    const place = end;
    const headBytes = lengths[2 * index] ?? 0;
    const bodyBytes = lengths[2 * index + 1] ?? 0;
    end += headBytes + bodyBytes;
    return { row, page: firstSeq, place, headBytes, bodyBytes };
  });
  return { firstSeq, texts, placed };
}

function packHead(row: MessageRow): string {
  return JSON.stringify([
    row.senderSessionPubkey,
    row.targetSpec,
    row.priority,
    row.ciphertext.length + row.nonce.length,
    row.nonce,
    row.bodyVersion,
    row.epoch,
    row.replyToId,
    row.subtype,
    row.requestFingerprint,
  ]);
}

/** Reads what a restart needs of a head. */
export function unpackHead(head: string): PackedHead {
  const [senderSessionPubkey, targetSpec, priority, size] = JSON.parse(head);
  return { senderSessionPubkey, targetSpec, priority, size };
}

/** Puts together what a push needs. */
export function unpackBody(seq: number, head: string, ciphertext: string): MessageBody {
  const [, , , , nonce, bodyVersion, epoch, replyToId, subtype, requestFingerprint] = JSON.parse(
    head,
  );
  return { seq, nonce, ciphertext, bodyVersion, epoch, replyToId, subtype, requestFingerprint };
}
