/**
 * The transfers of files that this agent's clients have begun: each goes on until it has ended, is cancelled, or the
 * client that began it is gone; how they ended can be asked for a while.
 */
import type { Progress, TransferControl } from "../core/files/transfer.ts";
import type { Transfer, TransferResult } from "../core/file_types.ts";
import { LocalError, summarizeError } from "../core/local_error.ts";
import type { Connection } from "./local_method_context.ts";

/** What is to be transferred. */
export interface TransferJob {
  readonly mesh: string;
  readonly kind: Transfer["kind"];
  /** Does it. */
  run(control: TransferControl): Promise<TransferResult>;
}

interface Entry {
  state: Transfer;
  readonly abort: AbortController;
  /** Settles when it has ended in any way. */
  readonly ended: Promise<void>;
}

const MAX_RUNNING = 16;
const MAX_REMEMBERED = 64;
/** News of a transfer come no closer together. */
const TOLD_EVERY_MS = 100;

export class Transfers {
  /** In the order in which they were begun. */
  readonly #entries = new Map<string, Entry>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Begins a transfer for a client and returns its id. @throws {LocalError} `limit` when too many run. */
  start(job: TransferJob, connection: Connection): string {
    const running = [...this.#entries.values()].filter(({ state }) => state.state === "running");
    if (running.length >= MAX_RUNNING) {
      throw new LocalError("limit", `${MAX_RUNNING} files are on their way already`, {
        exit: 3,
        hint: "wait until one of them has arrived",
      });
    }
    const transfer = crypto.randomUUID();
    const abort = new AbortController();
    const { mesh, kind } = job;
    const state: Transfer = {
      transfer,
      mesh,
      kind,
      state: "running",
      progress: null,
      result: null,
      error: null,
    };
    const done = Promise.withResolvers<void>();
    const entry: Entry = { state, abort, ended: done.promise };
    this.#entries.set(transfer, entry);
    void connection.gone.then(() => abort.abort(cancelled("the client that began it is gone")));
    void this.#run(entry, job, connection).then(done.resolve, done.reject);
    this.#forgetOld();
    return transfer;
  }

  /**
   * How a transfer stands, when it has ended or after `waitMs`, or when `gone` settles.
   * @throws {LocalError} `not_found`.
   */
  async wait(transfer: string, waitMs: number, gone: Promise<void>): Promise<Transfer> {
    const entry = this.#found(transfer);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, waitMs);
    try {
      await Promise.race([entry.ended, late.promise, gone]);
    } finally {
      clearTimeout(timer);
    }
    return entry.state;
  }

  /** Ends a transfer and waits until nothing of it is left. @throws {LocalError} `not_found`. */
  async cancel(transfer: string): Promise<Transfer> {
    const entry = this.#found(transfer);
    entry.abort.abort(cancelled("it was cancelled"));
    await entry.ended;
    return entry.state;
  }

  #found(transfer: string): Entry {
    const entry = this.#entries.get(transfer);
    if (entry !== undefined) return entry;
    throw new LocalError("not_found", `"${transfer}" is no transfer of this agent`);
  }

  async #run(entry: Entry, job: TransferJob, connection: Connection): Promise<void> {
    let toldAtMs = 0;
    const tell = (change: Partial<Transfer>) => {
      entry.state = { ...entry.state, ...change };
      connection.emit({ kind: "transfer", mesh: job.mesh, transfer: entry.state });
    };
    const onProgress = (progress: Progress) => {
      entry.state = { ...entry.state, progress };
      const nowMs = this.#nowMs();
      if (nowMs - toldAtMs < TOLD_EVERY_MS) return;
      toldAtMs = nowMs;
      tell({});
    };
    try {
      const result = await job.run({ signal: entry.abort.signal, onProgress });
      tell({ state: "done", result });
    } catch (error) {
      tell({ state: "failed", error: summarizeError(error) });
    }
  }

  #forgetOld(): void {
    for (const [transfer, { state }] of this.#entries) {
      if (this.#entries.size <= MAX_REMEMBERED) return;
      if (state.state !== "running") this.#entries.delete(transfer);
    }
  }
}

function cancelled(why: string): LocalError {
  return new LocalError("cancelled", `the transfer was ended: ${why}`, { exit: 1 });
}
