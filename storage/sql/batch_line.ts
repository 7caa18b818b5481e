/**
 * The order of batches that were sent without waiting: see `Sql.batchInLine`.
 */
import { SqlError } from "./port.ts";

/** Runs batches one after the other. */
export class BatchLine {
  /** Whether the last one was kept. */
  #last: Promise<boolean> = Promise.resolve(true);

  /**
   * Runs `write` when those before it have ended.
   * @param behind only if the last one was kept.
   * @throws {SqlError} what `write` throws, or `skipped`.
   */
  add<T>(behind: boolean, write: () => Promise<T>): Promise<T> {
    const turn = this.#last.then((kept) => {
      if (behind && !kept) throw new SqlError("skipped", "the batch before this one was not kept");
      return write();
    });
    this.#last = turn.then(() => true, () => false);
    return turn;
  }
}
