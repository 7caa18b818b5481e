/**
 * Group commit: writes that come in one turn of the event loop share one transaction, so that a hundred of them cost one
 * sync of the disk.
 */
import { setImmediate } from "node:timers";
import type { StoreFile } from "./store_file.ts";

interface Unit {
  write(): void;
  resolve(): void;
  reject(error: unknown): void;
}

const MAX_UNITS = 512;

export class GroupCommit {
  readonly #store: StoreFile;
  #units: Unit[] = [];
  #scheduled = false;

  constructor(store: StoreFile) {
    this.#store = store;
  }

  /**
   * Runs `write` in the next transaction; resolves when it is on disk. `write` may only write and must not depend on
   * others of the same turn. Rejects with the store's LocalError, and then nothing was written.
   */
  add(write: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#units.push({ write, resolve, reject });
      if (this.#units.length >= MAX_UNITS) this.flush();
      else if (!this.#scheduled) {
        this.#scheduled = true;
        setImmediate(() => {
          this.#scheduled = false;
          this.flush();
        });
      }
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    const units = this.#units;
    if (units.length === 0) return;
    this.#units = [];
    try {
      this.#store.transaction(() => {
        for (const unit of units) unit.write();
      });
    } catch (error) {
      for (const unit of units) unit.reject(error);
      return;
    }
    for (const unit of units) unit.resolve();
  }
}
