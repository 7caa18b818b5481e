/**
 * A map that forgets its least recently used entry when full: for derived keys that are dear to
 * make.
 */

/** Least-recently-used cache with a fixed number of places. */
export class BoundedCache<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #maxEntries: number;

  /** A cache with `maxEntries` places. Throws RangeError below one. */
  constructor(maxEntries: number) {
    if (!Number.isInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`a cache needs at least one place, not ${maxEntries}`);
    }
    this.#maxEntries = maxEntries;
  }

  /** How many entries it holds now. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The value under `key`, made by `make` when missing; what `make` throws is passed on, uncached.
   */
  getOrMake(key: Key, make: (key: Key) => Value): Value {
    const known = this.#entries.get(key);
    if (known !== undefined || this.#entries.has(key)) {
      // Insertion order is age: take it out and put it back at the young end.
      this.#entries.delete(key);
      this.#entries.set(key, known as Value);
      return known as Value;
    }
    const made = make(key);
    if (this.#entries.size >= this.#maxEntries) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, made);
    return made;
  }
}
