/**
 * PostgreSQL in WebAssembly for one mesh: opened on a folder with real durability and bounded memory, spoken to over its
 * wire protocol, and able to take on another user's rights. Runs in the mesh's process, in a thread of its own.
 */
import { PGlite } from "@electric-sql/pglite";
import { age } from "@electric-sql/pglite-age";
import { vector } from "@electric-sql/pglite-pgvector";
import { EngineDiedError } from "../sql/pglite_engine.ts";
import type { BoundStatements, ResultSet } from "../sql/pglite_messages.ts";
import { SqlError } from "../sql/port.ts";
import { SyncedNodeFs } from "../sql/synced_node_fs.ts";
import { eachBound } from "../sql/bind_writer.ts";
import { readReply, type WireReply } from "../sql/wire_reader.ts";
import { WireWriter } from "../sql/wire_writer.ts";

const MIB = 1_048_576;
const WASM_PAGE_BYTES = 65_536;
/** What PostgreSQL starts with, and what it may grow to: past it a statement fails with "out of memory". */
const INITIAL_MEMORY_BYTES = 128 * MIB;
const MAX_MEMORY_BYTES = 512 * MIB;
/** What one statement may sort or keep outside of that. */
const MAX_TEMPORARY_MB = 128;

/** PostgreSQL's superuser in every new cluster. */
const SUPERUSER_OID = 10;
/**
 * SECURITY_LOCAL_USERID_CHANGE of PostgreSQL's miscadmin.h: inside it SET ROLE and SET SESSION AUTHORIZATION are refused
 * however they are written, as in a SECURITY DEFINER function.
 */
const LOCAL_USERID_CHANGE = 1;

const START_PARAMS = [
  // -O would let a superuser change catalogs; -F would turn fsync off.
  ...PGlite.defaultStartParams.filter((param) => param !== "-F" && param !== "-O"),
  ...settings({
    fsync: "on",
    wal_sync_method: "fsync",
    shared_buffers: "32MB",
    min_wal_size: "32MB",
    max_wal_size: "64MB",
    temp_file_limit: `${MAX_TEMPORARY_MB}MB`,
    search_path: "program, public, ag_catalog",
  }),
];

/** Log files of 4 MiB instead of 16: a new one is zeroed in the middle of somebody's commit. */
const INITDB_PARAMS = ["--wal-segsize=4"];

/** How PostgreSQL's own errors leave its main loop (PGlite's `POSTGRES_MAIN_LONGJMP`). */
const ERROR_STATUS = 100;

interface PostgresModule {
  _SetUserIdAndSecContext(userOid: number, context: number): void;
  _PostgresMainLoopOnce(): void;
}

/**
 * Told that the database can no longer be trusted, so that its thread must be ended.
 * @param failure what the statement under way is answered; by default that the database is unavailable.
 */
export type EmbeddedEnd = (reason: string, failure?: SqlError) => void;

/** Opens PostgreSQL on `folder`, which is set up when it is empty. */
export async function openEmbeddedPostgres(
  folder: string,
  onEnd: EmbeddedEnd,
): Promise<EmbeddedPostgres> {
  const fs = new BoundedNodeFs(folder, (reason) => onEnd(`the disk refused to flush: ${reason}`));
  const pglite = await PGlite.create({
    fs,
    startParams: START_PARAMS,
    initDbStartParams: INITDB_PARAMS,
    extensions: { vector, age },
  });
  return new EmbeddedPostgres(pglite, onEnd);
}

/** A file in memory: its bytes, and what is spare behind them. */
interface MemoryFile {
  readonly contents: { readonly length: number };
}

/** What this file needs of Emscripten's file systems. */
interface FileSystemModule {
  readonly MEMFS: { expandFileStorage(file: MemoryFile, bytes: number): void };
  readonly FS: {
    mkdirTree(path: string): void;
    mount(type: unknown, options: object, path: string): void;
  };
}

/** A folder whose PostgreSQL has bounded memory, and keeps its temporary files there. */
class BoundedNodeFs extends SyncedNodeFs {
  override async init(
    ...[pglite, options]: Parameters<SyncedNodeFs["init"]>
  ): ReturnType<SyncedNodeFs["init"]> {
    const wasmMemory = new WebAssembly.Memory({
      initial: INITIAL_MEMORY_BYTES / WASM_PAGE_BYTES,
      maximum: MAX_MEMORY_BYTES / WASM_PAGE_BYTES,
    });
    const { emscriptenOpts } = await super.init(pglite, { ...options, wasmMemory });
    const preRun = [...(emscriptenOpts.preRun ?? []), mountTemporaryFolder];
    return { emscriptenOpts: { ...emscriptenOpts, preRun } };
  }
}

/** A statement that spills over must not fill the disk's queue, in which the broker's commits wait too. */
function mountTemporaryFolder(module: unknown): void {
  const { FS, MEMFS } = module as FileSystemModule;
  const path = `${PGlite.paths.PGDATA}/base/pgsql_tmp`;
  FS.mkdirTree(path);
  doubleWhenFull(MEMFS);
  FS.mount(MEMFS, {}, path);
}

/**
 * Large files in memory would grow by an eighth each time, a new copy of all of it: a statement that spills over would keep
 * the machine's memory so busy that messages wait twice as long.
 */
function doubleWhenFull(files: FileSystemModule["MEMFS"]): void {
  const expand = files.expandFileStorage;
  files.expandFileStorage = (file, bytes) => {
    const { length } = file.contents;
    expand(file, bytes > length ? Math.max(bytes, 2 * length) : bytes);
  };
}

/** One session of the embedded PostgreSQL, as its superuser until `become` says otherwise. */
export class EmbeddedPostgres {
  readonly #pglite: PGlite;
  readonly #module: PostgresModule;
  readonly writer = new WireWriter();

  constructor(pglite: PGlite, onEnd: EmbeddedEnd) {
    this.#pglite = pglite;
    this.#module = pglite.Module as unknown as PostgresModule;
    this.#watchForCrashes(onEnd);
  }

  /** Takes on the rights of a role, in a way that no statement can undo. */
  become(roleOid: number): void {
    this.#module._SetUserIdAndSecContext(roleOid, LOCAL_USERID_CHANGE);
  }

  /** Takes the superuser's rights again. */
  becomeSuperuser(): void {
    this.#module._SetUserIdAndSecContext(SUPERUSER_OID, 0);
  }

  /** Sends what `writer` holds, and hands what comes back to `onBytes`; the view is only valid during the call. */
  async exchange(onBytes: (bytes: Uint8Array) => void): Promise<void> {
    await this.#pglite.execProtocolRawStream(this.writer.take(), {
      syncToFs: false,
      onRawData: onBytes,
    });
  }

  /**
   * PGlite passes over whatever is thrown out of PostgreSQL. What is no error of PostgreSQL's own (the stack of the thread
   * ran over, memory was touched out of bounds) has left its state half changed: nothing may be written from it any more.
   */
  #watchForCrashes(onEnd: EmbeddedEnd): void {
    const runOnce = this.#module._PostgresMainLoopOnce;
    this.#module._PostgresMainLoopOnce = () => {
      try {
        runOnce();
      } catch (error) {
        if ((error as { status?: unknown }).status !== ERROR_STATUS) {
          onEnd("it crashed", crashFailure(error));
          // PGlite would go on; this thread is about to be ended.
          for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        }
        throw error;
      }
    };
  }

  /** As `exchange`, for answers of the program's own statements. @throws {SqlError} of the first failure. */
  async reply(): Promise<WireReply> {
    const chunks: Uint8Array[] = [];
    await this.exchange((bytes) => {
      chunks.push(bytes.slice());
    });
    const reply = readReply(joined(chunks));
    if (reply.status === null) throw new EngineDiedError("the mesh's PostgreSQL stopped");
    if (reply.failure !== null) throw reply.failure;
    if (reply.unreadable !== null) throw reply.unreadable;
    return reply;
  }

  /** Runs the program's own statements as one transaction. @throws {SqlError} of the first failure. */
  async run(statements: BoundStatements): Promise<ResultSet[]> {
    for (const { text, params } of eachBound(statements)) {
      this.writer.parse("", text);
      this.writer.execute("", params);
    }
    this.writer.sync();
    return [...(await this.reply()).results];
  }

  /**
   * Runs a script of the program's own.
   * @returns the command tag of its last statement.
   * @throws {SqlError} of the first failure.
   */
  async script(text: string): Promise<string> {
    this.writer.query(text);
    return (await this.reply()).tags.at(-1) ?? "";
  }

  async close(): Promise<void> {
    await this.#pglite.close();
  }
}

function crashFailure(error: unknown): SqlError {
  if (error instanceof RangeError && /stack/i.test(error.message)) {
    return new SqlError("invalid", "the statement is nested too deeply", "54001");
  }
  const reason = error instanceof Error ? error.message : "no reason given";
  return new SqlError("other", `the statement crashed PostgreSQL: ${reason}`, "XX000");
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
