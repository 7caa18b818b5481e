/**
 * The way of a message into the log: whom it is for, whether it may be sent and fits, and its place
 * in the ledger's line. All of it happens at once when the frame arrives, so the order of frames is
 * the order of the log.
 */
import type { MessageRow } from "../../../storage/sql/queries/message_store.ts";
import type { SqlStatement } from "../../../storage/sql/port.ts";
import { MeshError } from "../../api/errors.ts";
import type { Limits } from "../../api/limits.ts";
import type { SendInput } from "../../api/messaging.ts";
import type { Clock } from "../clock.ts";
import { isGranted, neededCapability } from "../grants.ts";
import type { Ledger, SendJob } from "../ledger.ts";
import type { Metrics } from "../metrics.ts";
import type { Connection, Member } from "../model.ts";
import { type Resolution, resolveTarget } from "../targets.ts";
import type { Mailbox } from "./mailbox.ts";
import type { MeshMail } from "./mailroom.ts";
import { OpenMessage, type Parties } from "./open_message.ts";
import { pushFrame } from "./push_frame.ts";
import { type SentAnswer, SentIndex } from "./sent_index.ts";

/** Older repeats are found by the store, which refuses them; they cost a commit of their own. */
const RECENT_SENDS = 32_768;
const FULL_RETRY_MS = 5_000;

export interface SubmitterParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly metrics: Pick<Metrics, "droppedByGrant">;
  /** Takes a message that is on disk to its recipients. */
  readonly deliver: (mail: MeshMail, message: OpenMessage, frame: string) => void;
}

export class Submitter {
  readonly #parts: SubmitterParts;
  readonly #sent = new SentIndex(RECENT_SENDS);

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
  }

  /**
   * Puts a message in line.
   * @returns the answer, once it is on disk.
   * @throws {MeshError} at once when it is refused; nothing is stored then.
   */
  submit(mail: MeshMail, connection: Connection, input: SendInput): Promise<SentAnswer> {
    return this.post(mail, originOf(connection), input);
  }

  /**
   * Puts a message in line that need not come from a connection.
   * @returns the answer, once it is on disk; `repeated` where it was sent before, and then nothing of `extra` is written.
   * @throws {MeshError} as `submit`.
   */
  post(
    mail: MeshMail,
    origin: Origin,
    input: SendInput,
    extra: PostExtra = NOTHING_EXTRA,
  ): Promise<SentAnswer & { repeated?: true }> {
    const { sender } = origin;
    const ownId = input.client_message_id ?? null;
    const earlier = ownId === null ? undefined : this.#sent.find(sender.number, ownId);
    if (earlier !== undefined) return repeated(earlier);
    this.#checkSize(input);
    const { multicast, recipients } = extra.resolution ??
      resolveTarget(mail.mesh, sender, input.targetSpec);
    if (multicast) checkEpoch(input, mail.mesh.epoch);
    const { granting, refusing } = this.#split(sender, recipients, input.targetSpec);
    const row = this.#row(origin, input, granting, refusing, extra.subtype);
    const mailboxes = granting.map((member) => mail.mailbox(member));
    const size = sizeOf(row);
    this.#reserve(mailboxes, size);
    const answer = new Promise<SentAnswer & { repeated?: true }>((resolve, reject) => {
      this.#parts.ledger.enqueue(
        this.#job({ mail, origin, extra, row, granting, mailboxes, size, resolve, reject }),
      );
    });
    if (ownId !== null) this.#sent.begin(sender.number, ownId, answer);
    return answer;
  }

  #job(send: Send): SendJob {
    const { mail, origin, extra, row, granting, mailboxes, size, resolve, reject } = send;
    const { sender, senderName } = origin;
    const release = () => {
      for (const mailbox of mailboxes) mailbox.release(size);
    };
    const end = (answer: SentAnswer | null) => {
      const { senderNumber, clientMessageId } = row;
      if (clientMessageId !== null) this.#sent.end(senderNumber, clientMessageId, answer);
    };
    let prepared: PreparedMessage | null = null;
    const prepare = () =>
      prepared ??= preparedMessage(row, size, { sender, senderName, recipients: granting });
    return {
      kind: "send",
      mesh: mail.mesh,
      sender,
      row,
      statements: extra.statements,
      prepare,
      committed: () => {
        const answer = { messageId: row.id, recipients: row.recipients.length };
        end(answer);
        release();
        const { message, frame } = prepare();
        this.#parts.deliver(mail, message, frame);
        resolve(answer);
      },
      duplicate: (first) => {
        const answer = { messageId: first.id, recipients: first.recipients };
        end(answer);
        resolve({ ...answer, repeated: true });
      },
      failed: (error) => {
        end(null);
        reject(error);
      },
      dropped: release,
    };
  }

  #checkSize({ ciphertext }: SendInput): void {
    const { messageBytes } = this.#parts.limits;
    const padding = ciphertext.endsWith("==") ? 2 : ciphertext.endsWith("=") ? 1 : 0;
    const bytes = Math.floor(ciphertext.length * 3 / 4) - padding;
    if (bytes <= messageBytes) return;
    throw new MeshError("too_large", `The message has ${bytes} bytes, at most ${messageBytes}`, {
      data: { limit: messageBytes, field: "ciphertext" },
    });
  }

  /**
   * Parts the recipients by their grants. Whoever grants nothing is counted but never gets the
   * message.
   */
  #split(sender: Member, recipients: readonly Member[], targetSpec: string): Split {
    const capability = neededCapability(targetSpec);
    const granting: Member[] = [];
    const refusing: Member[] = [];
    for (const member of recipients) {
      const granted = member === sender || isGranted(member, sender, capability);
      (granted ? granting : refusing).push(member);
    }
    if (refusing.length > 0) {
      this.#parts.metrics.droppedByGrant.inc({ cap: capability }, refusing.length);
    }
    return { granting, refusing };
  }

  #row(
    { sender, sessionPubkey }: Origin,
    input: SendInput,
    granting: readonly Member[],
    refusing: readonly Member[],
    subtype: string | null,
  ): MessageRow {
    const { clock, limits } = this.#parts;
    const createdAtMs = clock.now();
    return {
      seq: 0,
      id: "",
      meshId: sender.mesh.id,
      senderNumber: sender.number,
      senderSessionPubkey: sessionPubkey,
      clientMessageId: input.client_message_id ?? null,
      requestFingerprint: input.request_fingerprint ?? null,
      targetSpec: input.targetSpec,
      priority: input.priority,
      nonce: input.nonce,
      ciphertext: input.ciphertext,
      bodyVersion: input.bodyVersion,
      epoch: input.epoch ?? null,
      replyToId: input.replyToId ?? null,
      subtype,
      recipients: [
        ...granting.map((member) => member.number),
        ...refusing.map((member) => -member.number),
      ],
      createdAtMs,
      expiresAtMs: createdAtMs + limits.messageLifeMs,
    };
  }

  /** Keeps room in every mailbox, or in none. */
  #reserve(mailboxes: readonly Mailbox[], size: number): void {
    const { queuedMessages, queuedBytes } = this.#parts.limits;
    for (const mailbox of mailboxes) {
      if (mailbox.hasRoom(size, queuedMessages, queuedBytes)) continue;
      const { member, load } = mailbox;
      const byCount = load.count >= queuedMessages;
      throw new MeshError(
        "queue_full",
        `"${member.displayName}" has ${load.count} messages (${load.bytes} bytes) waiting, ` +
          "and no room for another until its agent takes some",
        {
          data: {
            limit: byCount ? queuedMessages : queuedBytes,
            retry_after_ms: FULL_RETRY_MS,
          },
        },
      );
    }
    for (const mailbox of mailboxes) mailbox.reserve(size);
  }
}

/** Who sends, as recipients see it. */
export interface Origin {
  readonly sender: Member;
  readonly sessionPubkey: string | null;
  readonly senderName: string;
}

/** What only the broker's own messages have. */
export interface PostExtra {
  readonly subtype: string | null;
  /** Whom it goes to; null: whom its target means. */
  readonly resolution: Resolution | null;
  /** Committed with the message. */
  readonly statements: readonly SqlStatement[];
}

const NOTHING_EXTRA: PostExtra = { subtype: null, resolution: null, statements: [] };

interface Split {
  readonly granting: readonly Member[];
  readonly refusing: readonly Member[];
}

/** A message that was accepted and waits for its commit. */
interface Send {
  readonly mail: MeshMail;
  readonly origin: Origin;
  readonly extra: PostExtra;
  readonly row: MessageRow;
  readonly granting: readonly Member[];
  readonly mailboxes: readonly Mailbox[];
  readonly size: number;
  readonly resolve: (answer: SentAnswer & { repeated?: true }) => void;
  readonly reject: (error: MeshError) => void;
}

/** A message as it will be delivered; its row has its place in the log by now. */
interface PreparedMessage {
  readonly message: OpenMessage;
  readonly frame: string;
}

function preparedMessage(row: MessageRow, size: number, parties: Parties): PreparedMessage {
  const message = new OpenMessage({ ...row, size }, parties);
  return { message, frame: pushFrame(message, row) };
}

/** Bytes of a message as its recipients' bounds count them. */
function sizeOf({ ciphertext, nonce }: Pick<MessageRow, "ciphertext" | "nonce">): number {
  return ciphertext.length + nonce.length;
}

/** Sealed for many means sealed under the current mesh key. */
function checkEpoch({ bodyVersion, epoch }: SendInput, currentEpoch: number): void {
  if (bodyVersion < 2 || epoch === currentEpoch) return;
  if (epoch === undefined) {
    throw new MeshError("invalid_argument", "A message to many names its epoch", {
      data: { field: "epoch" },
    });
  }
  throw new MeshError(
    "stale_epoch",
    `The message is sealed for epoch ${epoch}; the mesh is at ${currentEpoch}`,
  );
}

/** A session goes by its own name; the agent's connection by the member's. */
function originOf({ session, member: sender }: Connection): Origin {
  const { pubkey: sessionPubkey } = session;
  const senderName = sessionPubkey === null ? sender.displayName : session.displayName;
  return { sender, sessionPubkey, senderName };
}

async function repeated(
  earlier: SentAnswer | Promise<SentAnswer>,
): Promise<SentAnswer & { repeated: true }> {
  return { ...await earlier, repeated: true };
}
