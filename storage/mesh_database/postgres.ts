/**
 * The server driver of mesh databases: a schema and a login role per mesh on PostgreSQL. Members' statements run in sessions
 * of that role alone; the program's own on a few connections of the operator's user.
 */
import { openPostgres, type PostgresSql } from "../sql/postgres.ts";
import { type Row, SqlError, type SqlStatement } from "../sql/port.ts";
import { encodeStatement } from "../sql/values.ts";
import { type BoundedMemberSql, runMemberSql } from "./member_transaction.ts";
import { type MeshRole, openMeshRole } from "./mesh_role.ts";
import { meshSchema, programSchema } from "./names.ts";
import type { MemberSql, MemberSqlResult, MeshDatabases, WorkBounds } from "./port.ts";
import { prepareServer } from "./prepare_server.ts";
import { SessionPool } from "./session_pool.ts";

export interface PostgresMeshOptions {
  /** The operator's URL. */
  readonly databaseUrl: string;
  /** The largest size of one mesh's tables and indexes. */
  readonly diskBytes?: number;
  /** Sessions of one mesh at once, and of all. */
  readonly sessionsPerMesh?: number;
  readonly sessions?: number;
  /** A session that nobody used for so long is closed. */
  readonly idleMs?: number;
  /** Told what the server's operator should know. */
  readonly onWarning?: (message: string) => void;
}

const DEFAULTS = { diskBytes: 268_435_456, sessionsPerMesh: 3, sessions: 12, idleMs: 60_000 };
const PROGRAM_CONNECTIONS = 4;
/** A statement that does not even end when it is told to is ended with its session, so long after its timeout. */
const GRACE_MS = 500;

/** The mesh databases of one server. Made by `openPostgresMeshDatabases`. */
export class PostgresMeshDatabases implements MeshDatabases {
  readonly driver = "postgres";
  readonly extensions: ReadonlySet<"vector" | "age">;
  readonly #sql: PostgresSql;
  readonly #options: Required<PostgresMeshOptions>;
  readonly #extensionSchema: string;
  readonly #roles = new Map<string, Promise<MeshRole>>();
  readonly #pool: SessionPool;
  #closing: Promise<void> | null = null;

  constructor(
    sql: PostgresSql,
    options: Required<PostgresMeshOptions>,
    prepared: { extensions: ReadonlySet<"vector" | "age">; extensionSchema: string },
  ) {
    this.#sql = sql;
    this.#options = options;
    this.extensions = prepared.extensions;
    this.#extensionSchema = prepared.extensionSchema;
    this.#pool = new SessionPool({
      databaseUrl: options.databaseUrl,
      perMesh: options.sessionsPerMesh,
      total: options.sessions,
      idleMs: options.idleMs,
    });
  }

  /** Nothing waits: what all meshes need was made when the databases were opened. */
  async prepare(): Promise<void> {}

  async batch(
    meshId: string,
    statements: readonly SqlStatement[],
    bounds: WorkBounds,
  ): Promise<Row[][]> {
    if (statements.length === 0) return [];
    await this.#role(meshId);
    const path = [`"${programSchema(meshId)}"`, this.#extensionSchema];
    if (this.extensions.has("age")) path.push("ag_catalog");
    const preamble: SqlStatement[] = [
      { text: "SELECT set_config('search_path', $1, true)", params: [path.join(", ")] },
      {
        text: "SELECT set_config('statement_timeout', $1, true)",
        params: [String(Math.ceil(bounds.timeoutMs))],
      },
      ...(this.extensions.has("age") ? [{ text: "LOAD 'age'" }] : []),
    ];
    const results = await this.#sql.batch([...preamble, ...statements]);
    return results.slice(preamble.length);
  }

  async run(meshId: string, sql: MemberSql): Promise<MemberSqlResult> {
    encodeStatement({ text: sql.text });
    const bounded = { ...sql, bounds: { skipRows: 0, ...sql.bounds } };
    const role = this.#role(meshId);
    try {
      return await this.#runAs(await role, meshId, bounded);
    } catch (error) {
      // A role may change its own password and settings: they are made anew, once.
      if (!isSpoilt(error)) throw error;
      if (this.#roles.get(meshId) === role) this.#roles.delete(meshId);
      return await this.#runAs(await this.#role(meshId), meshId, bounded);
    }
  }

  async #runAs(role: MeshRole, meshId: string, sql: BoundedMemberSql): Promise<MemberSqlResult> {
    const { timeoutMs } = sql.bounds;
    const place = {
      searchPath: `"${meshSchema(meshId)}", ${this.#extensionSchema}`,
      diskBytes: this.#options.diskBytes,
    };
    return await this.#pool.use(role, async (session) => {
      const timer = setTimeout(
        () => {
          const text = `the statement took longer than ${timeoutMs} ms`;
          session.terminate(new SqlError("timeout", text));
          void this.#endBackend(session.pid, role.name);
        },
        timeoutMs + GRACE_MS,
      );
      try {
        return await runMemberSql(session, sql, place);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  async exists(meshId: string): Promise<boolean> {
    const rows = await this.#sql.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [
      meshSchema(meshId),
    ]);
    return rows.length > 0;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#pool.close();
    await this.#sql.close();
  }

  /** The server may not notice that nobody listens, and a statement may catch a mere cancellation. */
  async #endBackend(pid: number, role: string): Promise<void> {
    try {
      await this.#sql.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND usename = $2`,
        [pid, role],
      );
    } catch (error) {
      this.#options.onWarning(`a statement could not be ended: ${textOf(error)}`);
    }
  }

  #role(meshId: string): Promise<MeshRole> {
    if (this.#closing !== null) {
      return Promise.reject(new SqlError("unavailable", "the broker is stopping"));
    }
    const known = this.#roles.get(meshId);
    if (known !== undefined) return known;
    // One more than it may use, for a session that the server has not seen end yet.
    const role = openMeshRole(this.#sql, meshId, this.#options.sessionsPerMesh + 1);
    this.#roles.set(meshId, role);
    role.catch(() => this.#roles.delete(meshId));
    return role;
  }
}

/** Whether a role has made itself unusable: its password is another, or its transactions end at once. */
function isSpoilt(error: unknown): boolean {
  const state = error instanceof SqlError ? error.sqlState : null;
  return state !== null && (state.startsWith("28") || state === "25P04");
}

/**
 * Connects to the server, and takes from every role what would let one mesh reach another or the broker.
 * @throws {SqlError} `unavailable` when the server does not answer, or lets everybody do what no mesh may.
 */
export async function openPostgresMeshDatabases(
  options: PostgresMeshOptions,
): Promise<PostgresMeshDatabases> {
  const all = { ...DEFAULTS, onWarning: () => {}, ...options };
  const { databaseUrl } = options;
  const sql = await openPostgres({ databaseUrl, maxConnections: PROGRAM_CONNECTIONS });
  try {
    return new PostgresMeshDatabases(sql, all, await prepareServer(sql, all.onWarning));
  } catch (error) {
    await sql.close();
    throw error;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
