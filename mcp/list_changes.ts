/**
 * Tells the client that its lists of prompts and resources have changed: once for what comes in one moment, and not before
 * the handshake is over.
 */

const GATHER_MS = 100;

export interface ListChangesOptions {
  /** Sends a notification; a failed one means that the client is gone, which its transport tells too. */
  notify(method: string): Promise<void>;
  readonly gatherMs?: number;
}

const METHODS = [
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
] as const;

export class ListChanges {
  readonly #options: ListChangesOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReady = false;
  #isWaiting = false;
  #isClosed = false;

  constructor(options: ListChangesOptions) {
    this.#options = options;
  }

  /** The client has said that it is initialized. */
  clientReady(): void {
    this.#isReady = true;
    if (this.#isWaiting) this.changed();
  }

  /** The lists are other ones now. */
  changed(): void {
    this.#isWaiting = true;
    if (!this.#isReady || this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#tell(), this.#options.gatherMs ?? GATHER_MS);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#isWaiting = false;
    for (const method of METHODS) this.#options.notify(method).catch(() => this.close());
  }
}
