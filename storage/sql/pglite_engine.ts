/**
 * PostgreSQL in WebAssembly: opens it with real durability, and runs statements over its wire
 * protocol with prepared statements. Runs in PGlite's worker, one command at a time.
 */
import { MemoryFS, PGlite } from "@electric-sql/pglite";
import { age } from "@electric-sql/pglite-age";
import { vector } from "@electric-sql/pglite-pgvector";
import { eachBound } from "./bind_writer.ts";
import type { BoundStatements, EngineOptions, ResultSet } from "./pglite_messages.ts";
import { maintain, type Maintenance } from "./pglite_maintenance.ts";
import { SqlError } from "./port.ts";
import { SyncedNodeFs } from "./synced_node_fs.ts";
import { readReply, type WireReply } from "./wire_reader.ts";
import { WireWriter } from "./wire_writer.ts";

/** More prepared statements than this are forgotten all at once. */
const PREPARED_LIMIT = 256;
/** Command tags after which a prepared statement's plan or columns may no longer hold. */
const SCHEMA_TAG = /^(CREATE|ALTER|DROP|DO\b|IMPORT)/;

/** Log files of 4 MiB instead of 16: a new one is zeroed in the middle of somebody's commit. */
const INITDB_PARAMS = ["--wal-segsize=4"];

/** Told of what nobody asked for. */
export interface EngineEvents {
  onNotification(channel: string, payload: string): void;
  /** The database can no longer be trusted; the worker must be ended. */
  onFatal(message: string): void;
}

/** PostgreSQL stopped in the middle of an exchange. */
export class EngineDiedError extends Error {
  override readonly name = "EngineDiedError";
}

/** The embedded PostgreSQL. Calls must not overlap. */
export class PgliteEngine {
  readonly #pglite: PGlite;
  readonly #events: EngineEvents;
  readonly #writer = new WireWriter();
  readonly #names = new Map<string, string>();
  readonly #maintenance: Maintenance = { exchanges: 0, checkpointLsn: 0, due: [] };
  #prepared = 0;
  #stale = false;
  #status = "I";

  private constructor(pglite: PGlite, events: EngineEvents) {
    this.#pglite = pglite;
    this.#events = events;
  }

  /**
   * Starts PostgreSQL on an existing data folder, or in memory.
   * @throws {SqlError} when a commit on disk does not flush.
   */
  static async open(options: EngineOptions, events: EngineEvents): Promise<PgliteEngine> {
    if (options.folder === null) {
      const template = options.template === null ? {} : {
        loadDataDir: new Blob([options.template]),
      };
      const pglite = await PGlite.create({
        fs: new MemoryFS(),
        startParams: [...PGlite.defaultStartParams, ...paceParams(options)],
        initDbStartParams: INITDB_PARAMS,
        extensions: { vector, age },
        ...template,
      });
      return new PgliteEngine(pglite, events);
    }
    const fs = new SyncedNodeFs(
      options.folder,
      (reason) => events.onFatal(`the disk refused to flush: ${reason}`),
    );
    const pglite = await PGlite.create({
      fs,
      startParams: [...durableParams(), ...paceParams(options)],
      initDbStartParams: INITDB_PARAMS,
      extensions: { vector, age },
    });
    const engine = new PgliteEngine(pglite, events);
    await engine.#proveDurable(fs);
    return engine;
  }

  /**
   * Runs statements in order, up to the first that fails, as one transaction; inside BEGIN they are
   * a part of that transaction.
   * @throws {SqlError} of the first failure; nothing is kept then.
   */
  async run(statements: BoundStatements): Promise<ResultSet[]> {
    const reply = await this.#execute(
      statements,
      (name, params) => this.#writer.execute(name, params),
    );
    return [...reply.results];
  }

  /**
   * The same for statements that return no rows.
   * @throws {SqlError} as `run`.
   */
  async write(statements: BoundStatements): Promise<void> {
    await this.#execute(statements, (name, params) => this.#writer.write(name, params));
  }

  async #execute(
    statements: BoundStatements,
    put: (name: string, params: Uint8Array) => void,
  ): Promise<WireReply> {
    await this.#forgetStale();
    const fresh: string[] = [];
    for (const statement of eachBound(statements)) {
      let name = this.#names.get(statement.text);
      if (name === undefined) {
        name = `s${++this.#prepared}`;
        this.#names.set(statement.text, name);
        fresh.push(statement.text);
        this.#writer.parse(name, statement.text);
      }
      put(name, statement.params);
    }
    this.#writer.sync();
    const reply = await this.#exchange();
    for (const text of fresh.slice(reply.parsed)) this.#names.delete(text);
    throwFailure(reply);
    return reply;
  }

  /** Runs a script without parameters. @returns the last statement's command tag. */
  async script(text: string): Promise<string> {
    this.#writer.query(text);
    const reply = await this.#exchange();
    throwFailure(reply);
    return reply.tags.at(-1) ?? "";
  }

  /** Checkpoints and vacuums when enough was written; between transactions only. */
  async maintain(): Promise<void> {
    if (this.#status === "I") await maintain(this, this.#maintenance);
  }

  /** A tar of the data folder, to start another from. */
  async dump(): Promise<Uint8Array<ArrayBuffer>> {
    await this.script("CHECKPOINT");
    const tar = await this.#pglite.dumpDataDir("none");
    return new Uint8Array(await tar.arrayBuffer());
  }

  /** Shuts PostgreSQL down, with a checkpoint. */
  async close(): Promise<void> {
    await this.#pglite.close();
  }

  /** A transaction that writes must have been flushed, or acknowledged would not mean on disk. */
  async #proveDurable(fs: SyncedNodeFs): Promise<void> {
    const before = fs.syncs;
    await this.script("SELECT pg_logical_emit_message(true, 'claudemesh', 'durable')");
    if (fs.syncs > before) return;
    throw new SqlError("other", "a commit of the embedded database did not reach the disk");
  }

  async #forgetStale(): Promise<void> {
    if (!this.#stale && this.#names.size <= PREPARED_LIMIT) return;
    this.#names.clear();
    if (this.#status !== "I") return;
    this.#stale = false;
    await this.script("DEALLOCATE ALL");
  }

  async #exchange(): Promise<WireReply> {
    const chunks: Uint8Array[] = [];
    await this.#pglite.execProtocolRawStream(this.#writer.take(), {
      syncToFs: false,
      onRawData: (bytes) => {
        chunks.push(bytes.slice());
      },
    });
    const reply = readReply(joined(chunks));
    if (reply.status === null) throw new EngineDiedError("the embedded PostgreSQL stopped");
    this.#status = reply.status;
    if (reply.tags.some((tag) => SCHEMA_TAG.test(tag))) this.#stale = true;
    for (const { channel, payload } of reply.notifications) {
      this.#events.onNotification(channel, payload);
    }
    return reply;
  }
}

function throwFailure(reply: WireReply): void {
  if (reply.failure !== null) throw reply.failure;
  if (reply.unreadable !== null) throw reply.unreadable;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = chunks;
  if (first === undefined) return new Uint8Array();
  if (others.length === 0) return first;
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function durableParams(): string[] {
  const defaults = PGlite.defaultStartParams.filter((param) => param !== "-F");
  return [...defaults, ...settings({ fsync: "on", wal_sync_method: "fsync" })];
}

/** What bounds memory, and how long maintenance holds up a commit. */
function paceParams(options: EngineOptions): string[] {
  return settings({
    shared_buffers: `${options.sharedBuffersMb}MB`,
    min_wal_size: "32MB",
    max_wal_size: "128MB",
    default_statistics_target: "25",
  });
}

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
