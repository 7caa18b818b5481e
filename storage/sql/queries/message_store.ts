/**
 * What delivery needs of a store: the log of messages, the members' positions in it, receipts and
 * the audit chain. `SqlMessageStore` is the real one; a simulation puts one of its own here.
 */
import type { Priority } from "../../../broker/api/fields.ts";
import type { SqlStatement } from "../port.ts";

/** One message as it stands in the log. */
export interface MessageRow {
  /** Place in the log, given by the broker in the order of acknowledgement. */
  seq: number;
  /** Given by the broker with the place in the log. */
  id: string;
  readonly meshId: string;
  readonly senderNumber: number;
  readonly senderSessionPubkey: string | null;
  readonly clientMessageId: string | null;
  readonly requestFingerprint: string | null;
  readonly targetSpec: string;
  readonly priority: Priority;
  readonly nonce: string;
  readonly ciphertext: string;
  readonly bodyVersion: number;
  readonly epoch: number | null;
  readonly replyToId: string | null;
  readonly subtype: string | null;
  /** Member numbers; a negative one was left out by its own grants and never gets the message. */
  readonly recipients: readonly number[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/**
 * A message without its body: what a restart reads. `size` is the bytes of ciphertext and nonce.
 */
export type MessageHead =
  & Omit<
    MessageRow,
    | "nonce"
    | "ciphertext"
    | "bodyVersion"
    | "epoch"
    | "replyToId"
    | "subtype"
    | "requestFingerprint"
  >
  & { readonly size: number };

/** The rest of a message: what a push carries beside the head. */
export type MessageBody = Pick<
  MessageRow,
  | "seq"
  | "nonce"
  | "ciphertext"
  | "bodyVersion"
  | "epoch"
  | "replyToId"
  | "subtype"
  | "requestFingerprint"
>;

/**
 * A member's position: all of its messages up to `closedThrough` are closed but those in
 * `openBelow`.
 */
export interface CursorRow {
  readonly meshId: string;
  readonly memberNumber: number;
  readonly closedThrough: number;
  readonly openBelow: readonly number[];
}

export type ReceiptRowState = "received" | "seen" | "expired";

/** Deliveries of one member that reached a state at one moment. */
export interface ReceiptRow {
  readonly meshId: string;
  readonly memberNumber: number;
  readonly state: ReceiptRowState;
  /** Ascending, at least one. */
  readonly seqs: readonly number[];
  readonly atMs: number;
}

/** A member's word that it saw a message; counts only if the message was addressed to it. */
export interface SeenReport {
  readonly meshId: string;
  readonly memberNumber: number;
  readonly messageId: string;
  /** The place in the log that the id stands for. */
  readonly seq: number;
  readonly atMs: number;
}

/** One link of a mesh's audit chain. */
export interface AuditRow {
  readonly meshId: string;
  readonly eventType: string;
  readonly actorMemberId: string | null;
  readonly actorDisplayName: string | null;
  readonly payload: object;
  readonly prevHash: string;
  readonly hash: string;
  readonly createdAtMs: number;
}

/** All that one commit writes, in this order. */
export interface CommitBatch {
  readonly statements: readonly SqlStatement[];
  readonly messages: readonly MessageRow[];
  readonly cursors: readonly CursorRow[];
  readonly receipts: readonly ReceiptRow[];
  readonly seen: readonly SeenReport[];
  readonly audits: readonly AuditRow[];
}

/** By what a repeat is known. */
export interface SentKey {
  readonly senderNumber: number;
  readonly clientMessageId: string;
}

/** A message that its sender had sent before. */
export interface SentMessage extends SentKey {
  readonly id: string;
  readonly recipients: number;
}

/** How a sender asks for a message of its own. */
export interface WantedMessage {
  /** The place that `text` stands for as a message id or the beginning of one; null for none. */
  readonly seq: number | null;
  readonly text: string;
}

/** What one recipient's deliveries of a message have reached. */
export interface ReceiptState {
  readonly memberNumber: number;
  readonly state: ReceiptRowState;
  readonly atMs: number;
}

/** The store of messages. Every method may reject with an `SqlError`. */
export interface MessageStore {
  /**
   * Writes all of the batch in one transaction, or nothing; resolves when it is on disk. Fails with
   * kind `conflict` when a (sender, client message id) exists already.
   * @param behind sent while the commit before it is under way: it takes place only if that one
   *   does, and fails with kind `skipped` otherwise.
   */
  commit(batch: CommitBatch, behind?: boolean): Promise<void>;
  /** The highest place in the log that was ever closed or is still stored; 0 for none. */
  lastSeq(): Promise<number>;
  /** 16 bytes, always the same: the key between places in the log and message ids. */
  messageIdKey(): Promise<Uint8Array>;
  /** Of the given (sender, client message id) pairs those that are stored. */
  findSent(pairs: readonly SentKey[]): Promise<SentMessage[]>;
  /** Whether an audit row with this hash exists: whether the commit that carried it took place. */
  hasAudit(meshId: string, hash: string): Promise<boolean>;
  /** The newest hash of a mesh's audit chain, null for none. */
  auditHead(meshId: string): Promise<string | null>;
  cursors(meshId: string): Promise<CursorRow[]>;
  /**
   * Messages from `fromSeq` on that are open for at least one recipient, in order.
   * @param limit the most rows to return; fewer mean there are no more.
   */
  openMessages(meshId: string, fromSeq: number, limit: number): Promise<MessageHead[]>;
  /** The bodies of the given messages, those that exist, in no particular order. */
  bodies(meshId: string, seqs: readonly number[]): Promise<MessageBody[]>;
  /**
   * Messages of a sender: the one at `wanted.seq` if its id begins with `wanted.text`, and the one
   * whose client message id is `wanted.text`.
   */
  findOwn(meshId: string, senderNumber: number, wanted: WantedMessage): Promise<MessageHead[]>;
  /** What the recipients' deliveries of a message have reached, each state with its first time. */
  receiptsOf(
    meshId: string,
    seq: number,
    memberNumbers: readonly number[],
  ): Promise<ReceiptState[]>;
  /**
   * Removes messages that were made and closed for every recipient before `beforeMs`, and receipts
   * that mention no message any more, in pages.
   * @param afterSeq where to go on, 0 at first.
   * @returns where to go on, null when all was looked at.
   */
  purge(beforeMs: number, afterSeq: number, limit: number): Promise<number | null>;
}

/** Returns a batch with nothing in it but what `parts` names. */
export function commitBatch(parts: Partial<CommitBatch>): CommitBatch {
  return {
    statements: [],
    messages: [],
    cursors: [],
    receipts: [],
    seen: [],
    audits: [],
    ...parts,
  };
}
