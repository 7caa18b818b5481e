/**
 * The texts of open messages that are in memory, bounded in bytes for the whole broker; what falls
 * out is read again.
 */
import type { OpenMessage } from "./open_message.ts";

export class PayloadCache {
  readonly maxBytes: number;
  /** Oldest first. */
  readonly #messages = new Set<OpenMessage>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a message's frame, and drops the oldest ones when there are too many bytes. */
  put(message: OpenMessage, frame: string): void {
    this.drop(message);
    message.frame = frame;
    this.#messages.add(message);
    this.#bytes += frame.length;
    if (this.#bytes > this.maxBytes) this.#shrink(message);
  }

  /** Forgets a message's frame. */
  drop(message: OpenMessage): void {
    if (message.frame === null) return;
    this.#bytes -= message.frame.length;
    message.frame = null;
    this.#messages.delete(message);
  }

  /**
   * Makes room for some time: going through the oldest one by one at every put would cost too much.
   */
  #shrink(newest: OpenMessage): void {
    for (const message of this.#messages) {
      if (this.#bytes <= this.maxBytes * 0.75 || message === newest) return;
      this.drop(message);
    }
  }
}
