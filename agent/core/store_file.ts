/**
 * One SQLite file of the agent (inbox or outbox): opened durable (WAL, synchronous=FULL), set aside when it is damaged,
 * with what can still be read taken over into a new one.
 */
import { basename, dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { LocalError } from "./local_error.ts";

export interface StoreOptions {
  readonly path: string;
  /** What people call it: "inbox". */
  readonly name: string;
  /** Statements that make the tables in an empty file, separated by semicolons. */
  readonly schema: string;
  /** Grows with every change of the schema. */
  readonly version: number;
  /** Tables that are copied out of a damaged file, row by row as far as they can be read. */
  readonly tables: readonly string[];
  now(): number;
}

/** A value of a row. */
export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

const DISK_FULL = 13;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
const SIDE_FILES = ["", "-wal", "-shm"];
const PRAGMAS = ["journal_mode = wal", "synchronous = full", "cache_size = -1024"];
// Reading all of a large file would make the agent's start slow; there, damage shows when it is touched.
const CHECKED_BYTES = 4 * 1024 * 1024;

/** Opens a store; tests keep what they open. */
export type OpenStore = (options: StoreOptions) => StoreFile;

/** Opens or makes a store. Throws LocalError `store_broken` when it is newer than this program or unusable. */
export function openStore(options: StoreOptions): StoreFile {
  return new StoreFile(options);
}

export class StoreFile {
  readonly #options: StoreOptions;
  #db: DatabaseSync;
  #statements = new Map<string, StatementSync>();
  #full = false;

  /** Opens or makes the file. Throws LocalError `store_broken` when it is newer than this program or unusable. */
  constructor(options: StoreOptions) {
    this.#options = options;
    this.#db = this.#open();
  }

  /** What is wrong with it, each a sentence for people; empty when all is well. */
  get problems(): string[] {
    const { name } = this.#options;
    const found = this.#setAsideFiles().map((file) =>
      `the ${name} was damaged and begun anew; what could be read was taken over, the old file is ${file} ` +
      "(delete it when it is not needed any more)"
    );
    if (this.#full) found.push(`the disk is full: the ${name} takes nothing until there is space`);
    return found;
  }

  /** Runs a query with positional parameters. Throws as `transaction`. */
  all(sql: string, ...params: SqlValue[]): SqlRow[] {
    return this.#guarded(() => this.#prepare(sql).all(...params) as SqlRow[]);
  }

  /** As `all`, the first row alone. */
  first(sql: string, ...params: SqlValue[]): SqlRow | undefined {
    return this.#guarded(() => this.#prepare(sql).get(...params) as SqlRow | undefined);
  }

  /** Runs one statement inside a transaction; returns how many rows it changed. */
  run(sql: string, ...params: SqlValue[]): number {
    return Number(this.#prepare(sql).run(...params).changes);
  }

  /** Runs one insert inside a transaction; returns the new row's id, 0 when a conflict kept it out. */
  insert(sql: string, ...params: SqlValue[]): number {
    const { changes, lastInsertRowid } = this.#prepare(sql).run(...params);
    return Number(changes) === 0 ? 0 : Number(lastInsertRowid);
  }

  /**
   * Runs `work` in one transaction that is on disk when it returns; nothing is kept when it throws. A damaged file is
   * set aside and `work` runs once more on the new one. Throws LocalError `disk_full` or `store_broken`.
   */
  transaction<T>(work: () => T): T {
    const result = this.#guarded(() => {
      this.run("begin immediate");
      try {
        const value = work();
        this.run("commit");
        return value;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
    this.#full = false;
    return result;
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw this.#explained(error);
    }
    this.#replace();
    try {
      return work();
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #rollBack(): void {
    try {
      if (this.#db.isTransaction) this.run("rollback");
    } catch (error) {
      // A damaged file cannot even roll back; it is set aside by the caller, which has the first error.
      if (!isDamage(error)) throw error;
    }
  }

  #open(): DatabaseSync {
    try {
      return this.#opened();
    } catch (error) {
      if (!isDamage(error)) throw this.#explained(error);
    }
    const aside = this.#setAside();
    try {
      const db = this.#opened();
      this.#salvage(aside, db);
      return db;
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #opened(): DatabaseSync {
    const { path, schema, version } = this.#options;
    makePrivate(path);
    const db = new DatabaseSync(path, { timeout: 2_000 });
    try {
      for (const pragma of PRAGMAS) db.prepare(`pragma ${pragma}`).get();
      if (sizeOf(path) <= CHECKED_BYTES) {
        const verdict = db.prepare("pragma quick_check(1)").get() as { quick_check?: unknown };
        if (verdict.quick_check !== "ok") throw new DamagedFile();
      }
      const { user_version: found } = db.prepare("pragma user_version").get() as {
        user_version: number;
      };
      if (found > version) throw this.#tooNew();
      if (found === 0) makeTables(db, schema, version);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  #replace(): void {
    this.close();
    const aside = this.#setAside();
    this.#db = this.#opened();
    this.#salvage(aside, this.#db);
  }

  #setAside(): string {
    const { path, now } = this.#options;
    const aside = `${path}.corrupt-${now()}`;
    for (const suffix of SIDE_FILES) {
      try {
        Deno.renameSync(path + suffix, aside + suffix);
      } catch (error) {
        // The write-ahead log and its index need not be there.
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return aside;
  }

  #salvage(aside: string, target: DatabaseSync): void {
    let source: DatabaseSync;
    try {
      source = new DatabaseSync(aside, { readOnly: true });
    } catch {
      // Not readable at all: `problems` names the file, there is nothing to take over.
      return;
    }
    try {
      for (const table of this.#options.tables) copyReadable(source, target, table);
    } finally {
      source.close();
    }
  }

  #setAsideFiles(): string[] {
    const { path } = this.#options;
    const folder = dirname(path);
    const names: string[] = [];
    for (const entry of Deno.readDirSync(folder)) {
      const isAside = entry.name.startsWith(`${basename(path)}.corrupt-`);
      if (isAside && !entry.name.endsWith("-wal") && !entry.name.endsWith("-shm")) {
        names.push(`${folder}/${entry.name}`);
      }
    }
    return names.sort();
  }

  #explained(error: unknown): unknown {
    const { name, path } = this.#options;
    const code = errorCode(error);
    if (code === null) return error;
    if (code === DISK_FULL) {
      this.#full = true;
      return new LocalError("disk_full", `the disk is full: cannot write the ${name}`, {
        hint: `free some space on the disk of ${path}; it is tried again by itself`,
        cause: error,
      });
    }
    return new LocalError("store_broken", `cannot use the ${name} ${path}: ${text(error)}`, {
      hint: "check the file's owner, its mode and the disk",
      cause: error,
    });
  }

  #tooNew(): LocalError {
    const { name, path } = this.#options;
    return new LocalError("store_broken", `the ${name} ${path} was written by a newer program`, {
      hint: "install that version again",
    });
  }
}

/** Statement by statement: `exec` would do it at once, but its errors do not tell SQLite's code. */
function makeTables(db: DatabaseSync, schema: string, version: number): void {
  const statements = schema.split(";").map((each) => each.trim()).filter((each) => each !== "");
  const steps = ["begin immediate", ...statements, `pragma user_version = ${version}`, "commit"];
  for (const step of steps) db.prepare(step).run();
}

/** Makes the file its owner's alone; SQLite gives its side files the same mode. */
function makePrivate(path: string): void {
  if (Deno.build.os === "windows") return;
  try {
    Deno.openSync(path, { create: true, append: true, mode: 0o600 }).close();
    for (const suffix of SIDE_FILES) closeToOthers(path + suffix);
  } catch {
    // SQLite meets the same obstacle next, and says what it is.
  }
}

function closeToOthers(path: string): void {
  try {
    if ((Deno.statSync(path).mode! & 0o077) !== 0) Deno.chmodSync(path, 0o600);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What `quick_check` found. */
class DamagedFile extends Error {
  readonly errcode = CORRUPT;
}

function copyReadable(source: DatabaseSync, target: DatabaseSync, table: string): void {
  let rows: Iterable<SqlRow>;
  try {
    rows = source.prepare(`select * from ${table}`).iterate() as unknown as Iterable<SqlRow>;
    for (const row of rows) {
      const columns = Object.keys(row);
      const places = columns.map(() => "?").join(", ");
      target.prepare(`insert or ignore into ${table} (${columns.join(", ")}) values (${places})`)
        .run(...Object.values(row));
    }
  } catch (error) {
    // The rest of this table is what the damage took; the file is kept for whoever wants to dig.
    if (errorCode(error) === null) throw error;
  }
}

function isDamage(error: unknown): boolean {
  const code = errorCode(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** SQLite's primary result code, null for errors of another kind. */
function errorCode(error: unknown): number | null {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return null;
  return typeof error.errcode === "number" ? error.errcode & 0xff : null;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
