/**
 * The one place that writes: commits of all meshes go through it one after the other, so that the
 * order of the log, the audit chains and what is in memory agree. While one commit runs, more work
 * piles up; the next takes all of it.
 */
import { type Sql, SqlError, type SqlExecutor, type SqlStatement } from "../../storage/sql/port.ts";
import type { MessageStore } from "../../storage/sql/queries/message_store.ts";
import type { Clock, Random } from "./clock.ts";
import { Deque } from "./delivery/deque.ts";
import { MessageIds } from "./delivery/message_id.ts";
import {
  type AuditEntry,
  type ExclusiveJob,
  type LedgerJob,
  type MergedCommit,
  type MergedJob,
  mergeJobs,
} from "./ledger_job.ts";
import { siftDuplicates, type Sifted } from "./ledger_duplicates.ts";
import { type ExclusiveFailure, writeExclusive } from "./ledger_exclusive.ts";
import type { Mesh } from "./model.ts";
import { keptNothing, storeError } from "./store_error.ts";

export type { AuditEntry, ClosingJob, SendJob } from "./ledger_job.ts";

/** What one commit takes at most. */
const MAX_JOBS = 256;
const MAX_BYTES = 4 * 1_048_576;
/** Deliveries: telling their recipients keeps the event loop for as long as there are many. */
const MAX_DELIVERIES = 8_192;
/** Within so long of a commit there is load, and the next one waits a moment for company. */
const BUSY_MS = 4;
const GATHER_MS = 1;
/** So much needs no company: it is sent behind the commit under way, which the store goes on with. */
const CROWD_JOBS = 64;
/** Commits that the store has at once. */
const MAX_FLIGHTS = 2;
/** Why jobs are refused when a commit before theirs got no answer. */
const LOST = new SqlError("unavailable", "the store's answer to a commit was lost");

export interface LedgerParts {
  readonly store: MessageStore;
  readonly sql: Pick<Sql, "transaction">;
  readonly clock: Clock;
  readonly random: Random;
  /** How many jobs are a crowd; simulations have few. */
  readonly crowdJobs?: number;
  readonly onCommit?: (tookMs: number) => void;
  /** Gets programming errors of those that are told of a commit. */
  readonly onError: (error: unknown) => void;
}

/** A commit on its way. */
interface Flight {
  readonly jobs: readonly MergedJob[];
  /** Null when it could not be put together; nothing was sent then. */
  readonly commit: MergedCommit | null;
  readonly startMs: number;
  /** Why it failed, null when it is on disk. Never rejects. */
  readonly failure: Promise<unknown>;
}

/** A commit of which nobody knows whether it took place, and how to find out. */
interface UnsureCommit {
  readonly jobs: readonly LedgerJob[];
  readonly heads: ReadonlyMap<Mesh, string>;
}

/** Serialises all writes of a broker. */
export class Ledger {
  /** Between places in the log and ids of messages. */
  readonly ids: MessageIds;
  readonly #store: MessageStore;
  readonly #sql: Pick<Sql, "transaction">;
  readonly #clock: Clock;
  readonly #crowdJobs: number;
  readonly #onCommit: (tookMs: number) => void;
  readonly #onError: (error: unknown) => void;
  readonly #queue = new Deque<LedgerJob>();
  readonly #idleWaiters: (() => void)[] = [];
  #lastSeq: number;
  #scheduled = false;
  #running = false;
  #lastCommitAtMs = -Infinity;
  /** In the order they were sent; each but the first is behind the one before it. */
  readonly #flights: Flight[] = [];
  readonly #unsure: UnsureCommit[] = [];

  constructor(parts: LedgerParts, end: { readonly lastSeq: number; readonly idKey: Uint8Array }) {
    this.ids = new MessageIds(end.idKey, parts.random);
    this.#store = parts.store;
    this.#sql = parts.sql;
    this.#clock = parts.clock;
    this.#crowdJobs = parts.crowdJobs ?? CROWD_JOBS;
    this.#onCommit = parts.onCommit ?? (() => {});
    this.#onError = parts.onError;
    this.#lastSeq = end.lastSeq;
  }

  /** Makes the ledger of a store; reads where its log ends. */
  static async open(parts: LedgerParts): Promise<Ledger> {
    const { store } = parts;
    const [lastSeq, idKey] = await Promise.all([store.lastSeq(), store.messageIdKey()]);
    return new Ledger(parts, { lastSeq, idKey });
  }

  /** The highest place in the log given so far. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /**
   * Writes statements and their audit rows, merged with whatever else waits.
   * @throws {MeshError} `unavailable` (it may be stored all the same), `storage_full` or
   * `internal`.
   */
  append(unit: {
    readonly mesh: Mesh;
    readonly statements: readonly SqlStatement[];
    readonly audits: readonly AuditEntry[];
  }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.enqueue({ kind: "write", ...unit, committed: resolve, failed: reject });
    });
  }

  /**
   * Runs `run` in a transaction of its own, between other commits, and writes the audit rows it
   * asks for. Inside, wait for nothing but `tx`. With `mesh` null (a mesh that is being made) there
   * can be no audits.
   * @throws what `run` throws if it is a MeshError, else as `append`; nothing is kept then.
   */
  async transact<T>(
    mesh: Mesh | null,
    run: (tx: SqlExecutor) => Promise<{ result: T; audits: readonly AuditEntry[] }>,
  ): Promise<T> {
    let outcome: { result: T } | null = null;
    await new Promise<void>((resolve, reject) => {
      this.enqueue({
        kind: "exclusive",
        mesh,
        async run(tx) {
          const { result, audits } = await run(tx);
          outcome = { result };
          return audits;
        },
        committed: resolve,
        failed: reject,
      });
    });
    return (outcome as { result: T } | null)!.result;
  }

  /** Puts a job in line; its own functions tell the outcome. */
  enqueue(job: LedgerJob): void {
    this.#queue.push(job);
    if (this.#flights.length > 0) this.#sendBehind();
    this.#schedule();
  }

  /** Resolves when everything in line, and what joins meanwhile, has been written or refused. */
  idle(): Promise<void> {
    if (!this.#busy()) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  #busy(): boolean {
    return this.#running || this.#scheduled || this.#queue.length > 0;
  }

  #schedule(): void {
    if (this.#running || this.#scheduled) return;
    this.#scheduled = true;
    const start = () => {
      this.#scheduled = false;
      this.#running = true;
      this.#run();
    };
    // A lone send after a pause does not wait; under load a moment's wait makes commits larger.
    if (this.#clock.now() - this.#lastCommitAtMs > BUSY_MS) queueMicrotask(start);
    else this.#clock.after(GATHER_MS, start);
  }

  /** One commit; then the next is scheduled if there is work. */
  async #run(): Promise<void> {
    try {
      await this.#findOut();
      const first = this.#queue.first();
      if (first?.kind === "exclusive") {
        this.#queue.shift();
        await this.#writeExclusive(first);
      } else {
        await this.#writeMany();
      }
    } catch (error) {
      this.#refuseAll(error);
    }
    this.#lastCommitAtMs = this.#clock.now();
    this.#running = false;
    if (this.#queue.length > 0) this.#schedule();
    else for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #takeMerged(): MergedJob[] {
    const jobs: MergedJob[] = [];
    let bytes = 0;
    let deliveries = 0;
    while (jobs.length < MAX_JOBS && bytes < MAX_BYTES && deliveries < MAX_DELIVERIES) {
      const job = this.#queue.first();
      if (job === undefined || job.kind === "exclusive") break;
      this.#queue.shift();
      if (job.kind === "send") {
        job.row.seq = ++this.#lastSeq;
        job.row.id = this.ids.next(job.row.seq);
        bytes += job.row.ciphertext.length;
        deliveries += job.row.recipients.length;
      }
      jobs.push(job);
    }
    return jobs;
  }

  /** Writes what waits, and goes on as long as a crowd gathers behind it. */
  async #writeMany(): Promise<void> {
    this.#send(this.#takeMerged());
    this.#sendBehind();
    for (let flight = this.#flights[0]; flight !== undefined; flight = this.#flights[0]) {
      this.#prepare(flight);
      const failure = await flight.failure;
      this.#flights.shift();
      if (failure !== null) {
        await this.#writeAgain(flight, failure);
        continue;
      }
      this.#kept(flight);
      // The store works on the next one while those of this one hear of it.
      this.#sendBehind();
      for (const job of flight.jobs) this.#tell(() => job.committed());
    }
  }

  /** Sends a crowd, if one waits, behind the commits under way. */
  #sendBehind(): void {
    if (this.#flights.length >= MAX_FLIGHTS || this.#queue.length < this.#crowdJobs) return;
    // Behind one that was never sent there is no line.
    if (this.#flights.at(-1)?.commit === null) return;
    this.#send(this.#takeMerged());
  }

  #send(jobs: readonly MergedJob[]): void {
    if (jobs.length === 0) return;
    const last = this.#flights.at(-1);
    const startMs = this.#clock.now();
    let commit: MergedCommit;
    try {
      commit = mergeJobs(jobs, startMs, last?.commit?.heads);
    } catch (error) {
      this.#flights.push({ jobs, commit: null, startMs, failure: Promise.resolve(error) });
      return;
    }
    const failure = this.#store.commit(commit.batch, last !== undefined).then(
      () => null,
      (error) => error,
    );
    this.#flights.push({ jobs, commit, startMs, failure });
  }

  /** Uses the time in which the store writes. */
  #prepare({ jobs }: Flight): void {
    for (const job of jobs) if (job.kind === "send") this.#tell(() => job.prepare());
  }

  #kept({ commit, startMs }: Flight): void {
    const nowMs = this.#clock.now();
    this.#onCommit(nowMs - Math.max(startMs, this.#lastCommitAtMs));
    this.#lastCommitAtMs = nowMs;
    moveHeads(commit?.heads ?? new Map());
  }

  /** Settles a commit that failed, and then those that were sent behind it, in order. */
  async #writeAgain(flight: Flight, failure: unknown): Promise<void> {
    const behind = this.#flights.splice(0);
    const outcomes = await Promise.all(behind.map(({ failure }) => failure));
    if (keptNothingOf(flight, failure)) await this.#writeRest(flight.jobs, failure);
    else this.#leaveUnsure(flight, failure);
    for (const [index, follower] of behind.entries()) {
      const outcome = outcomes[index];
      if (keptNothingOf(follower, outcome)) await this.#writeMerged(follower.jobs);
      else this.#leaveUnsure(follower, outcome);
    }
  }

  /** Writes jobs in one commit that nothing is sent behind, and tells them the outcome. */
  async #writeMerged(jobs: readonly MergedJob[]): Promise<void> {
    if (this.#unsure.length > 0) return this.#refuse(jobs, LOST);
    this.#send(jobs);
    const flight = this.#flights.pop();
    if (flight === undefined) return;
    const failure = await flight.failure;
    if (failure !== null) return await this.#writeAgain(flight, failure);
    this.#kept(flight);
    for (const job of jobs) this.#tell(() => job.committed());
  }

  /** The store kept nothing of `jobs`: answers those it has already and tries the others again. */
  async #writeRest(jobs: readonly MergedJob[], error: unknown): Promise<void> {
    let sifted: Sifted;
    try {
      sifted = await siftDuplicates(this.#store, jobs);
    } catch (lookupError) {
      return this.#refuse(jobs, lookupError);
    }
    for (const { job, first } of sifted.duplicates) {
      this.#tell(() => {
        job.duplicate(first);
        job.dropped();
      });
    }
    if (sifted.duplicates.length > 0) return await this.#writeMerged(sifted.rest);
    if (jobs.length === 1) return this.#refuse(jobs, error);
    // Somebody is to blame: found by halving.
    const middle = jobs.length >> 1;
    await this.#writeMerged(jobs.slice(0, middle));
    await this.#writeMerged(jobs.slice(middle));
  }

  async #writeExclusive(job: ExclusiveJob): Promise<void> {
    let heads: ReadonlyMap<Mesh, string>;
    try {
      heads = await writeExclusive(this.#sql, job, () => this.#clock.now());
    } catch (failure) {
      const { heads, cause } = failure as ExclusiveFailure;
      if (heads === null || keptNothing(cause)) this.#refuse([job], cause);
      else this.#leaveJobsUnsure([job], heads, cause);
      return;
    }
    moveHeads(heads);
    this.#tell(() => job.committed());
  }

  #leaveUnsure({ jobs, commit }: Flight, cause: unknown): void {
    this.#leaveJobsUnsure(jobs, commit?.heads ?? new Map(), cause);
  }

  /**
   * Nobody knows whether the commit took place: the senders hear so, and the next run finds out
   * first.
   */
  #leaveJobsUnsure(
    jobs: readonly LedgerJob[],
    heads: ReadonlyMap<Mesh, string>,
    cause: unknown,
  ): void {
    this.#unsure.push({ jobs, heads });
    const error = storeError(cause);
    for (const job of jobs) this.#tell(() => job.failed(error));
  }

  /** Asks the store whether unsure commits took place, in their order, and acts on the answers. */
  async #findOut(): Promise<void> {
    for (let unsure = this.#unsure[0]; unsure !== undefined; unsure = this.#unsure[0]) {
      const { jobs, heads } = unsure;
      const [chain] = heads;
      const kept = chain !== undefined && await this.#store.hasAudit(chain[0].id, chain[1]);
      this.#unsure.shift();
      if (kept) moveHeads(heads);
      for (const job of jobs) {
        if (job.kind !== "send") continue;
        this.#tell(() => kept ? job.committed() : job.dropped());
      }
    }
  }

  /**
   * The store does not even answer questions: whatever waits is refused, and nothing of it is
   * stored.
   */
  #refuseAll(cause: unknown): void {
    const waiting = [...this.#queue];
    this.#queue.clear();
    this.#refuse(waiting, cause);
  }

  #refuse(jobs: readonly LedgerJob[], cause: unknown): void {
    const error = storeError(cause);
    for (const job of jobs) {
      this.#tell(() => {
        job.failed(error);
        if (job.kind === "send") job.dropped();
      });
    }
  }

  /**
   * A mistake in one job's own functions must not keep the others from hearing of their outcome.
   */
  #tell(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#onError(error);
    }
  }
}

/** Whether the store certainly has nothing of a commit, which then may be written again. */
function keptNothingOf({ commit }: Flight, failure: unknown): boolean {
  return commit === null || keptNothing(failure);
}

function moveHeads(heads: ReadonlyMap<Mesh, string>): void {
  for (const [mesh, hash] of heads) mesh.auditHead = hash;
}
