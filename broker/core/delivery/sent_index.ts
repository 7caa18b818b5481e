/**
 * What members sent lately, by their own ids, so that a repeat gets the first answer without asking
 * the store.
 */

/** The part of an answer that a repeat shares. */
export interface SentAnswer {
  readonly messageId: string;
  readonly recipients: number;
}

/** Keeps the last `capacity / 2` to `capacity` answers, and those still being made. */
export class SentIndex {
  readonly #halfCapacity: number;
  readonly #pending = new Map<string, Promise<SentAnswer>>();
  // Two generations: dropping the older one whole costs nothing per send.
  #young = new Map<string, SentAnswer>();
  #old = new Map<string, SentAnswer>();

  constructor(capacity: number) {
    this.#halfCapacity = capacity / 2;
  }

  /** Returns the answer to an earlier send of the same id, or the promise of it. */
  find(key: string): SentAnswer | Promise<SentAnswer> | undefined {
    return this.#young.get(key) ?? this.#pending.get(key) ?? this.#old.get(key);
  }

  /** Notes a send whose answer is being made; a failed one is forgotten. */
  begin(key: string, answer: Promise<SentAnswer>): void {
    this.#pending.set(key, answer);
  }

  /** Notes how a send ended: with an answer, or not at all. */
  end(key: string, answer: SentAnswer | null): void {
    this.#pending.delete(key);
    if (answer === null) return;
    if (this.#young.size >= this.#halfCapacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, answer);
  }
}
