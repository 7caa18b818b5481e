/**
 * How operations tell jobs that there is something to do sooner than they know of.
 */

export class WakeSignal {
  readonly #listeners = new Set<() => void>();

  /** Calls `listener` at every wake until the returned function is called. */
  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
