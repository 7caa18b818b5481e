/**
 * The embedded driver of mesh databases: a PGlite of its own per mesh, each in a process. Only a few are open at once: the
 * one not used for longest is closed for the next.
 */
import { join } from "node:path";
import { type DataFolderLock, lockDataFolder } from "../sql/data_folder_lock.ts";
import { type Row, SqlError, type SqlStatement } from "../sql/port.ts";
import { bindStatements } from "../sql/bind_writer.ts";
import { encodeStatement } from "../sql/values.ts";
import type { ResultSet } from "../sql/pglite_messages.ts";
import { EmbeddedDatabase } from "./embedded_database.ts";
import { EmbeddedTemplate } from "./embedded_template.ts";
import { meshSchema } from "./names.ts";
import { pathExists } from "../path_exists.ts";
import type { MemberSql, MemberSqlResult, MeshDatabases, WorkBounds } from "./port.ts";

/** How to keep the meshes' embedded databases. */
export interface PgliteMeshOptions {
  /** The folder of all meshes: `<folder>/<mesh id>/pg` is one's database. */
  readonly folder: string;
  readonly maxOpen?: number;
  /** A database that nobody used for so long is closed. */
  readonly idleMs?: number;
  /** The largest size of one mesh's tables and indexes. */
  readonly diskBytes?: number;
}

const DEFAULTS = { maxOpen: 4, idleMs: 300_000, diskBytes: 268_435_456 };

/** The embedded databases of all meshes. Nothing is opened before it is used. */
export class PgliteMeshDatabases implements MeshDatabases {
  readonly driver = "pglite";
  readonly extensions: ReadonlySet<"vector" | "age"> = new Set(["vector", "age"] as const);
  readonly #options: Required<PgliteMeshOptions>;
  /** By mesh id, the least recently used first. */
  readonly #databases = new Map<string, EmbeddedDatabase>();
  readonly #template: EmbeddedTemplate;
  #lock: Promise<DataFolderLock> | null = null;
  /** Waiting for one of the open databases to have nothing to do. */
  readonly #waiting: (() => void)[] = [];
  #closing: Promise<void> | null = null;

  constructor(options: PgliteMeshOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.#template = new EmbeddedTemplate(this.#options.folder);
  }

  async prepare(): Promise<void> {
    try {
      await this.#locked();
      await this.#template.path();
    } catch (error) {
      if (this.#closing === null) throw error;
    }
  }

  async batch(
    meshId: string,
    statements: readonly SqlStatement[],
    bounds: WorkBounds,
  ): Promise<Row[][]> {
    if (statements.length === 0) return [];
    const bound = bindStatements(statements);
    const database = this.#database(meshId);
    const results = await database.request(
      { kind: "batch", statements: bound },
      bounds.timeoutMs,
    );
    return results.map(rowsOf);
  }

  async run(meshId: string, sql: MemberSql): Promise<MemberSqlResult> {
    const { text, readOnly } = sql;
    const bounds = { skipRows: 0, ...sql.bounds };
    encodeStatement({ text });
    return await this.#database(meshId).request(
      { kind: "run", sql: { text, readOnly, bounds } },
      bounds.timeoutMs,
    );
  }

  exists(meshId: string): Promise<boolean> {
    return pathExists(join(this.#options.folder, meshId, "pg"));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const wake of this.#waiting.splice(0)) wake();
    await this.#template.close();
    await Promise.all([...this.#databases.values()].map((database) => database.close()));
    await this.#lock?.then((lock) => lock.release(), () => {});
  }

  #database(meshId: string): EmbeddedDatabase {
    if (this.#closing !== null) throw new SqlError("unavailable", "the broker is stopping");
    const known = this.#databases.get(meshId);
    if (known !== undefined) {
      this.#databases.delete(meshId);
      this.#databases.set(meshId, known);
      return known;
    }
    const database: EmbeddedDatabase = new EmbeddedDatabase({
      folder: join(this.#options.folder, meshId, "pg"),
      schema: meshSchema(meshId),
      diskBytes: this.#options.diskBytes,
      idleMs: this.#options.idleMs,
      template: () => this.#template.path(),
      admit: () => this.#admit(database),
      isPlaceWanted: () => this.#waiting.length > 0,
      onQuiet: () => this.#waiting.shift()?.(),
    });
    this.#databases.set(meshId, database);
    return database;
  }

  /** Waits until one more database may be open, closing the least recently used that has nothing to do. */
  async #admit(asking: EmbeddedDatabase): Promise<void> {
    await this.#locked();
    while (this.#closing === null) {
      const open = [...this.#databases.values()].filter((each) => each !== asking && each.isOpen);
      if (open.length < this.#options.maxOpen) return;
      const quiet = open.find((each) => each.isQuiet);
      if (quiet !== undefined) await quiet.shut();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    throw new SqlError("unavailable", "the broker is stopping");
  }

  /** Keeps the folder to this process. */
  #locked(): Promise<DataFolderLock> {
    this.#lock ??= lockDataFolder(this.#options.folder).catch((error) => {
      this.#lock = null;
      throw error;
    });
    return this.#lock;
  }
}

function rowsOf({ columns, cells }: ResultSet): Row[] {
  const rows: Row[] = [];
  if (columns.length === 0) return rows;
  for (let at = 0; at < cells.length; at += columns.length) {
    rows.push(Object.fromEntries(columns.map((name, index) => [name, cells[at + index]])));
  }
  return rows;
}
