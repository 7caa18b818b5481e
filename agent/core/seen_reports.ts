/**
 * Tells the broker which messages were put before the model or a person: once each, in batches, again after a lost
 * connection.
 */
import type { Inbox } from "./inbox.ts";
import type { Link } from "./link.ts";

const BATCH = 512;
const ANSWER_TIMEOUT_MS = 15_000;

export class SeenReports {
  readonly #inbox: Inbox;
  readonly #link: Pick<Link, "isUp" | "request">;
  #running: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(inbox: Inbox, link: Pick<Link, "isUp" | "request">) {
    this.#inbox = inbox;
    this.#link = link;
  }

  /** Reports what has not been reported; without a connection, the next one does. */
  report(): void {
    if (this.#stopped || !this.#link.isUp) return;
    if (this.#running !== null) {
      this.#again = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#again) {
        this.#again = false;
        this.report();
      }
    });
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped && this.#link.isUp) {
        const ids = this.#inbox.unreported(BATCH);
        if (ids.length === 0) return;
        await this.#link.request("client_seen", { brokerMessageIds: ids }, ANSWER_TIMEOUT_MS);
        this.#inbox.markReported(ids);
      }
    } catch {
      // Lost connection, slow broker or full disk: reported again on the next connection or the next seen message.
    }
  }
}
