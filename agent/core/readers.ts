/**
 * Who has been handed which message: each session gets what is meant for it, once, and what nobody has seen yet.
 */
import { type Group, groupAndAncestors, type Priority } from "../../broker/api/fields.ts";
import type { Inbox } from "./inbox.ts";
import type { InboxMessage, TakeOptions } from "./mesh_peer_api.ts";

/** What decides whether a message is for a session. */
export interface ReaderSession {
  readonly sessionId: string;
  readonly pubkey: string;
  readonly displayName: string | null;
  readonly groups: readonly Group[];
}

interface Reader {
  /** The newest message when it began to read: of older ones it gets those that nobody has seen. */
  fromSeq: number;
  readonly handed: Set<number>;
}

const DEFAULT_PRIORITIES: readonly Priority[] = ["now", "next"];
const DEFAULT_LIMIT = 100;
const PAGE = 200;

export class Readers {
  readonly #inbox: Inbox;
  readonly #sessions: () => readonly ReaderSession[];
  readonly #readers = new Map<string, Reader>();

  constructor(inbox: Inbox, sessions: () => readonly ReaderSession[]) {
    this.#inbox = inbox;
    this.#sessions = sessions;
  }

  /** A reader begins: messages from now on are handed to it once each, whoever else has seen them. */
  begin(reader: string): void {
    if (this.#readers.has(reader)) return;
    this.#readers.set(reader, { fromSeq: this.#inbox.lastSeq(), handed: new Set() });
  }

  /** Hands messages to a reader, oldest first. A reader that has not begun begins now. */
  take(name: string, options: TakeOptions = {}): InboxMessage[] {
    this.begin(name);
    const reader = this.#readers.get(name)!;
    const limit = options.limit ?? DEFAULT_LIMIT;
    const priorities = new Set(options.priorities ?? DEFAULT_PRIORITIES);
    const sessions = this.#sessions();
    const own = sessions.find((session) => session.sessionId === name);
    const taken: InboxMessage[] = [];
    const beganAtSeq = reader.fromSeq;
    let settled = true;
    for (let fromSeq = 0; taken.length < limit;) {
      const page = this.#inbox.readable(beganAtSeq, fromSeq, PAGE);
      for (const message of page) {
        if (taken.length >= limit) break;
        const skipped = reader.handed.has(message.seq) ||
          (own !== undefined && !isFor(message, own, sessions));
        const takes = !skipped && priorities.has(message.priority);
        if (takes) taken.push(message);
        settled &&= skipped || (takes && options.peek !== true);
        // Everything up to here is done with: seen messages so far back need not be read again.
        if (settled && message.seq > reader.fromSeq) reader.fromSeq = message.seq;
      }
      if (page.length < PAGE) break;
      fromSeq = page[page.length - 1]!.seq + 1;
    }
    if (options.peek !== true) { for (const message of taken) reader.handed.add(message.seq); }
    return taken;
  }
}

/** Whether `message` belongs to `own`: to the session it names, to sessions in its group, else to all. */
function isFor(
  message: InboxMessage,
  own: ReaderSession,
  sessions: readonly ReaderSession[],
): boolean {
  if (message.kind === "broadcast") return true;
  const matches = message.kind === "group" ? isInGroup : isNamed;
  return matches(own, message.target) ||
    !sessions.some((session) => matches(session, message.target));
}

function isNamed(session: ReaderSession, target: string): boolean {
  return session.pubkey === target ||
    session.displayName?.toLowerCase() === target.toLowerCase();
}

function isInGroup(session: ReaderSession, target: string): boolean {
  const group = target.slice(1).toLowerCase();
  return session.groups.some(({ name }) => groupAndAncestors(name).includes(group));
}
