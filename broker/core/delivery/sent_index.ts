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
  readonly #pending = new Map<number, Map<string, Promise<SentAnswer>>>();
  // Two generations: dropping the older one whole costs nothing per send. By sender first: joining
  // both to one key costs more than the second look-up.
  #young = new Map<number, Map<string, SentAnswer>>();
  #old = new Map<number, Map<string, SentAnswer>>();
  #youngCount = 0;

  constructor(capacity: number) {
    this.#halfCapacity = capacity / 2;
  }

  /** Returns the answer to a sender's earlier send of the same id, or the promise of it. */
  find(sender: number, id: string): SentAnswer | Promise<SentAnswer> | undefined {
    return this.#young.get(sender)?.get(id) ?? this.#pending.get(sender)?.get(id) ??
      this.#old.get(sender)?.get(id);
  }

  /** Notes a send whose answer is being made; a failed one is forgotten. */
  begin(sender: number, id: string, answer: Promise<SentAnswer>): void {
    ofSender(this.#pending, sender).set(id, answer);
  }

  /** Notes how a send ended: with an answer, or not at all. */
  end(sender: number, id: string, answer: SentAnswer | null): void {
    const pending = this.#pending.get(sender);
    pending?.delete(id);
    if (pending?.size === 0) this.#pending.delete(sender);
    if (answer === null) return;
    if (this.#youngCount >= this.#halfCapacity) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngCount = 0;
    }
    ofSender(this.#young, sender).set(id, answer);
    this.#youngCount++;
  }
}

function ofSender<T>(bySender: Map<number, Map<string, T>>, sender: number): Map<string, T> {
  let own = bySender.get(sender);
  if (own === undefined) {
    own = new Map();
    bySender.set(sender, own);
  }
  return own;
}
