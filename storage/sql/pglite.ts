/**
 * The embedded driver: PGlite in a worker of its own, behind the `Sql` port. There is one session,
 * so statements run one after the other, and a transaction holds up everything else.
 */
import { join } from "node:path";
import { pathExists } from "../path_exists.ts";
import { type DataFolderLock, lockDataFolder } from "./data_folder_lock.ts";
import { flush } from "./flush.ts";
import { PgliteChannel } from "./pglite_channel.ts";
import { bindStatements } from "./bind_writer.ts";
import type { BoundStatements, EngineOptions, ResultSet } from "./pglite_messages.ts";
import { type Row, type Sql, SqlError, type SqlStatement, type SqlTransaction } from "./port.ts";

const DEFAULT_SHARED_BUFFERS_MB = 32;

/** How to open the embedded database. */
export interface PgliteOptions {
  /** The broker's data folder, PostgreSQL's files in `postgres` below it; null for memory only. */
  readonly dataDir: string | null;
  /** PostgreSQL's `shared_buffers`. More makes the process larger by as much. */
  readonly sharedBuffersMb?: number;
  /** A `dump()` to start from; only in memory. */
  readonly template?: Uint8Array<ArrayBuffer>;
  /** Told when a vacuum or checkpoint failed; statements go on. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Opens the embedded database, making it when the folder has none.
 * @throws {SqlError} `unavailable` when another process has the folder open; otherwise why
 *   PostgreSQL did not start, or that its commits do not reach the disk.
 */
export async function openPglite(options: PgliteOptions): Promise<PgliteSql> {
  const { dataDir, sharedBuffersMb = DEFAULT_SHARED_BUFFERS_MB, template = null } = options;
  const lock = dataDir === null ? null : await lockDataFolder(dataDir);
  const sql = new PgliteSql(lock, options.onWarning ?? (() => {}));
  try {
    const folder = dataDir === null ? null : await readyFolder(dataDir, sharedBuffersMb);
    await sql.open({ folder, sharedBuffersMb, template });
    return sql;
  } catch (error) {
    sql.terminate();
    throw error;
  }
}

/** Whether the embedded database of `dataDir` has been made. */
export async function isPrepared(dataDir: string): Promise<boolean> {
  return await pathExists(join(dataDir, "postgres"));
}

/**
 * Makes the embedded database of `dataDir` when there is none, without opening it. Making one takes
 * about 400 MiB that a process does not give back, so a long-running one has it made by another.
 * @throws {SqlError} as `openPglite`.
 */
export async function prepareDataFolder(dataDir: string): Promise<void> {
  const lock = await lockDataFolder(dataDir);
  try {
    await readyFolder(dataDir, DEFAULT_SHARED_BUFFERS_MB);
  } finally {
    lock.release();
  }
}

/** The folder of PostgreSQL's files. A new one gets its name only when it is whole and on disk. */
async function readyFolder(dataDir: string, sharedBuffersMb: number): Promise<string> {
  const folder = join(dataDir, "postgres");
  if (await pathExists(folder)) return folder;
  const unfinished = join(dataDir, "postgres.new");
  if (await pathExists(unfinished)) await Deno.remove(unfinished, { recursive: true });
  await Deno.mkdir(unfinished, { mode: 0o700 });
  const maker = new PgliteChannel({ onNotification: () => {}, onWarning: () => {} });
  try {
    const options: EngineOptions = { folder: unfinished, sharedBuffersMb, template: null };
    await maker.request({ kind: "initialise", options });
  } finally {
    maker.end("the data folder is made");
  }
  await Deno.rename(unfinished, folder);
  if (Deno.build.os !== "windows") flush(dataDir);
  return folder;
}

/** The embedded database. Made by `openPglite`. */
export class PgliteSql implements Sql {
  readonly driver = "pglite";
  readonly durability: string;
  readonly #channel: PgliteChannel;
  readonly #lock: DataFolderLock | null;
  readonly #listeners = new Map<string, Set<(payload: string) => void>>();
  /** What waits for the transaction under way; null when there is none. */
  #waiting: (() => void)[] | null = null;
  #closing: Promise<void> | null = null;

  constructor(lock: DataFolderLock | null, onWarning: (message: string) => void) {
    this.#lock = lock;
    this.durability = lock === null
      ? "none: in memory, gone with the process"
      : "one fdatasync per commit (embedded PostgreSQL, fsync on)";
    this.#channel = new PgliteChannel({
      onNotification: (channel, payload) => {
        for (const onNotify of this.#listeners.get(channel) ?? []) onNotify(payload);
      },
      onWarning,
    });
  }

  /** Starts PostgreSQL; once, before anything else. */
  async open(options: EngineOptions): Promise<void> {
    await this.#channel.request({ kind: "open", options });
  }

  async query<R extends object = Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    const statement = bindStatements([params === undefined ? { text } : { text, params }]);
    return await this.#admit(() => this.#rows<R>(statement));
  }

  async batch(statements: readonly SqlStatement[]): Promise<Row[][]> {
    if (statements.length === 0) return [];
    const bound = bindStatements(statements);
    const results = await this.#admit(() =>
      this.#channel.request({ kind: "run", statements: bound })
    );
    return results.map((result) => rowsOf<Row>(result));
  }

  async batchInLine(statements: readonly SqlStatement[], behind: boolean): Promise<void> {
    const bound = bindStatements(statements);
    await this.#admit(() => this.#channel.request({ kind: "write", statements: bound, behind }));
  }

  async transaction<T>(run: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    return await this.#admit(() => this.#transact(run));
  }

  async listen(
    channel: string,
    onNotify: (payload: string) => void,
  ): Promise<() => Promise<void>> {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    const listener = (payload: string) => onNotify(payload);
    listeners.add(listener);
    await this.query(`LISTEN ${quotedName(channel)}`);
    return async () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      await this.query(`UNLISTEN ${quotedName(channel)}`);
    };
  }

  async ping(): Promise<void> {
    await this.query("SELECT count(*) FROM pg_catalog.pg_database");
  }

  /** A tar of the whole database, for `template`. */
  async dump(): Promise<Uint8Array<ArrayBuffer>> {
    return await this.#admit(() => this.#channel.request({ kind: "dump" }));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends the database at once, in the middle of any statement, as a crash would. */
  terminate(): void {
    this.#channel.end("the embedded database was ended");
    this.#lock?.release();
    this.#releaseTurn();
  }

  async #close(): Promise<void> {
    try {
      await this.#channel.request({ kind: "close" });
    } catch (error) {
      // A worker that already died has nothing left to close.
      if (!(error instanceof SqlError && error.kind === "unavailable")) throw error;
    } finally {
      this.terminate();
    }
  }

  /** Starts now, or after the transaction under way and whoever waited for it before. */
  #admit<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) {
      return Promise.reject(new SqlError("unavailable", "the embedded database is closed"));
    }
    if (this.#waiting === null) return start();
    const waiting = this.#waiting;
    return new Promise((resolve, reject) => {
      waiting.push(() => start().then(resolve, reject));
    });
  }

  #releaseTurn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    while (this.#waiting === null && waiting.length > 0) waiting.shift()?.();
    if (waiting.length > 0) this.#waiting = waiting;
  }

  async #rows<R extends object>(statements: BoundStatements): Promise<R[]> {
    const results = await this.#channel.request({ kind: "run", statements });
    const [result] = results;
    return result === undefined ? [] : rowsOf<R>(result);
  }

  async #transact<T>(run: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    this.#waiting = [];
    const begun = this.#channel.request({ kind: "script", text: "BEGIN" });
    const tx = new PgliteTransaction((statement) => this.#rows(statement), this.#channel);
    let ending: Promise<string>;
    let value: T;
    try {
      await begun;
      value = await run(tx);
      if (tx.failure !== null) throw tx.failure;
      ending = this.#channel.request({ kind: "script", text: "COMMIT" });
    } catch (error) {
      tx.end();
      ending = this.#channel.request({ kind: "script", text: "ROLLBACK" });
      this.#releaseTurn();
      // The transaction's own failure says more than a rollback's that a dead worker refused.
      await ending.catch(() => {});
      throw error;
    }
    tx.end();
    this.#releaseTurn();
    await ending;
    return value;
  }
}

/** The statements of one transaction; keeps its first failure. */
class PgliteTransaction implements SqlTransaction {
  failure: unknown = null;
  #over = false;
  readonly #rows: <R extends object>(statements: BoundStatements) => Promise<R[]>;
  readonly #channel: PgliteChannel;

  constructor(
    rows: <R extends object>(statements: BoundStatements) => Promise<R[]>,
    channel: PgliteChannel,
  ) {
    this.#rows = rows;
    this.#channel = channel;
  }

  async query<R extends object = Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    const statement = bindStatements([params === undefined ? { text } : { text, params }]);
    return await this.#run(() => this.#rows<R>(statement));
  }

  async script(text: string): Promise<void> {
    await this.#run(() => this.#channel.request({ kind: "script", text }));
  }

  end(): void {
    this.#over = true;
  }

  async #run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#over) throw new SqlError("invalid", "the transaction is over");
    try {
      return await start();
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }
}

function rowsOf<R extends object>({ columns, cells }: ResultSet): R[] {
  const rows: R[] = [];
  if (columns.length === 0) return rows;
  for (let at = 0; at < cells.length; at += columns.length) {
    const row: Row = {};
    for (let index = 0; index < columns.length; index++) {
      row[columns[index] as string] = cells[at + index];
    }
    rows.push(row as R);
  }
  return rows;
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
