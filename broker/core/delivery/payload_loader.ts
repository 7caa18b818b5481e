/**
 * Reads the texts of messages that wait to be pushed and are no longer in memory, a page at a time.
 */
import type { MessageStore } from "../../../storage/sql/queries/message_store.ts";
import type { CancelTimer, Clock } from "../clock.ts";
import type { Mailbox } from "./mailbox.ts";
import type { OpenMessage } from "./open_message.ts";
import type { PayloadCache } from "./payload_cache.ts";
import { pushFrame } from "./push_frame.ts";

const PAGE_MESSAGES = 256;
const PAGE_BYTES = 4 * 1_048_576;
/** What a frame has beside its ciphertext, roughly. */
const FRAME_OVERHEAD_BYTES = 1_024;
const RETRY_MS = 1_000;

export interface PayloadLoaderParts {
  readonly store: MessageStore;
  readonly clock: Clock;
  readonly cache: PayloadCache;
  readonly onError: (error: unknown) => void;
  /** Goes on with a mailbox whose next texts are here. */
  readonly pump: (mailbox: Mailbox) => void;
  /** Gives up a message that the store no longer has. */
  readonly lost: (message: OpenMessage) => void;
}

export class PayloadLoader {
  readonly #parts: PayloadLoaderParts;
  readonly #pageBytes: number;
  readonly #waiting = new Set<Mailbox>();
  #running = false;
  #cancelRetry: CancelTimer = () => {};

  constructor(parts: PayloadLoaderParts) {
    this.#parts = parts;
    // The end of a page must not drive its beginning out again before it is pushed.
    this.#pageBytes = Math.min(PAGE_BYTES, parts.cache.maxBytes / 2);
  }

  /** Reads what a mailbox pushes next and then goes on with it. */
  request(mailbox: Mailbox): void {
    this.#waiting.add(mailbox);
    if (!this.#running) this.#run();
  }

  close(): void {
    this.#waiting.clear();
    this.#cancelRetry();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (const mailbox of this.#waiting) {
        await this.#load(nextPage(mailbox, this.#pageBytes));
        // A page serves every mailbox that waits for the same messages; each asks again for what it
        // still lacks.
        if (this.#waiting.delete(mailbox)) this.#parts.pump(mailbox);
      }
      this.#running = false;
    } catch (error) {
      this.#parts.onError(error);
      this.#cancelRetry = this.#parts.clock.after(RETRY_MS, () => this.#run());
    }
  }

  async #load(page: readonly OpenMessage[]): Promise<void> {
    const [first] = page;
    if (first === undefined) return;
    const { store, cache, lost } = this.#parts;
    const bodies = await store.bodies(first.meshId, page.map((message) => message.seq));
    const bySeq = new Map(bodies.map((body) => [body.seq, body]));
    for (const message of page) {
      const body = bySeq.get(message.seq);
      if (message.openCount === 0 || message.frame !== null) continue;
      if (body === undefined) lost(message);
      else cache.put(message, pushFrame(message, body));
    }
  }
}

/** The messages without text among those that a mailbox pushes next. */
function nextPage(mailbox: Mailbox, maxBytes: number): OpenMessage[] {
  const page: OpenMessage[] = [];
  let bytes = 0;
  for (const queue of [mailbox.urgent, mailbox.ordinary]) {
    for (const { message, state } of queue) {
      if (state !== "waiting" || message.frame !== null) continue;
      bytes += message.size + FRAME_OVERHEAD_BYTES;
      if (page.length >= PAGE_MESSAGES || (page.length > 0 && bytes > maxBytes)) return page;
      page.push(message);
    }
  }
  return page;
}
