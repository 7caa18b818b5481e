/**
 * The server driver: pooled connections to PostgreSQL by postgres.js, behind the `Sql` port.
 * Connections come back by themselves after the server was away; meanwhile calls fail with
 * `unavailable`.
 */
import postgres from "postgres";
import { BatchLine } from "./batch_line.ts";
import { type Row, type Sql, SqlError, type SqlStatement, type SqlTransaction } from "./port.ts";
import { asSqlError } from "./sql_failure.ts";
import { DECODERS, encodeStatement } from "./values.ts";

/** How to reach the server. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; `?sslmode=verify-full` and the like for TLS. */
  readonly databaseUrl: string;
  readonly maxConnections?: number;
}

const CONNECT_TIMEOUT_SECONDS = 10;
/** Between two attempts to connect, after `attempts` that failed. */
const RETRY_MIN_SECONDS = 0.05;
const RETRY_MAX_SECONDS = 1;
/** How long closing waits for statements under way, */
const DRAIN_TIMEOUT_MS = 5_000;
/** and then for the sockets: postgres.js never ends a connection that was lost in a statement. */
const CLOSE_TIMEOUT_SECONDS = 0.5;

/**
 * Settings of every connection; a parameter of the same name in the URL wins. Values are read as
 * ISO dates at UTC (`values.ts`).
 */
const SESSION = {
  application_name: "claudemesh",
  TimeZone: "UTC",
  DateStyle: "ISO",
  synchronous_commit: true,
  statement_timeout: 30_000,
  idle_in_transaction_session_timeout: 60_000,
};

/** Every statement is prepared, and none may hold several: as with the embedded driver. */
const PREPARED = { prepare: true, simple: false };

type Pool = postgres.Sql;

/**
 * Connects to a server.
 * @throws {SqlError} `unavailable` when it does not answer, `invalid` for a URL of another kind.
 */
export async function openPostgres(options: PostgresOptions): Promise<PostgresSql> {
  const protocol = URL.parse(options.databaseUrl)?.protocol;
  if (protocol !== "postgres:" && protocol !== "postgresql:") {
    throw new SqlError("invalid", "the database URL must start with postgres:// and name a host");
  }
  const pool = connectionPool(options);
  try {
    const [settings] = await pool.unsafe<DurabilityRow[]>(DURABILITY_QUERY, [], PREPARED);
    return new PostgresSql(pool, options.databaseUrl, durabilityOf(settings));
  } catch (error) {
    await pool.end({ timeout: 0 });
    throw failureOf(error);
  }
}

function connectionPool({ databaseUrl, maxConnections = 10 }: PostgresOptions): Pool {
  return postgres(databaseUrl, {
    max: maxConnections,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    backoff: (attempts: number) =>
      Math.min(RETRY_MAX_SECONDS, RETRY_MIN_SECONDS * 2 ** Math.min(attempts, 10)),
    connection: SESSION,
    fetch_types: false,
    onnotice: () => {},
    types: Object.fromEntries(
      [...DECODERS].map(([type, parse]) => [
        `type${type}`,
        // Parameters arrive as text already.
        { to: type, from: [type], serialize: (text: string) => text, parse },
      ]),
    ),
  });
}

interface DurabilityRow {
  readonly version: string;
  readonly fsync: string;
  readonly commit: string;
}

const DURABILITY_QUERY = `SELECT current_setting('server_version') AS version,
  current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit`;

function durabilityOf(row: DurabilityRow | undefined): string {
  return `PostgreSQL ${row?.version}, fsync ${row?.fsync}, synchronous_commit ${row?.commit}`;
}

/** PostgreSQL on a server. Made by `openPostgres`. */
export class PostgresSql implements Sql {
  readonly driver = "postgres";
  readonly durability: string;
  /** How it was reached: it may hold a password. */
  readonly databaseUrl: string;
  readonly #pool: Pool;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #line = new BatchLine();
  #closing: Promise<void> | null = null;

  constructor(pool: Pool, databaseUrl: string, durability: string) {
    this.#pool = pool;
    this.databaseUrl = databaseUrl;
    this.durability = durability;
  }

  async query<R extends object = Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    const statement = params === undefined ? { text } : { text, params };
    return await this.#run(() => rowsOf<R>(this.#pool, statement));
  }

  /**
   * Statements go out without waiting for each other's answers, between a BEGIN and a COMMIT that
   * are waited for; a single statement is its own transaction.
   */
  async batch(statements: readonly SqlStatement[]): Promise<Row[][]> {
    const [only] = statements;
    if (only === undefined) return [];
    if (statements.length === 1) return [await this.#run(() => rowsOf<Row>(this.#pool, only))];
    return await this.#run(() =>
      this.#pool.begin((tx) =>
        Promise.all(statements.map((statement) => rowsOf<Row>(tx, statement)))
      )
    );
  }

  batchInLine(statements: readonly SqlStatement[], behind: boolean): Promise<void> {
    return this.#line.add(behind, async () => {
      await this.batch(statements);
    });
  }

  async transaction<T>(run: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    const outcome: { value?: T; thrown?: unknown } = {};
    try {
      await this.#run(() =>
        this.#pool.begin(async (tx) => {
          try {
            outcome.value = await run(new PostgresTransaction(tx));
          } catch (error) {
            outcome.thrown = error;
            throw error;
          }
        })
      );
    } catch (error) {
      throw outcome.thrown ?? error;
    }
    return outcome.value as T;
  }

  async listen(
    channel: string,
    onNotify: (payload: string) => void,
  ): Promise<() => Promise<void>> {
    const { unlisten } = await this.#run(() => this.#pool.listen(channel, onNotify));
    return async () => {
      await mapped(unlisten);
    };
  }

  async ping(): Promise<void> {
    await this.query("SELECT count(*) FROM pg_catalog.pg_database");
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, DRAIN_TIMEOUT_MS);
    await Promise.race([late, Promise.allSettled(this.#underWay)]);
    clearTimeout(timer);
    await this.#pool.end({ timeout: CLOSE_TIMEOUT_SECONDS });
  }

  async #run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw new SqlError("unavailable", "the database is closed");
    const answer = mapped(start);
    this.#underWay.add(answer);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(answer);
    }
  }
}

class PostgresTransaction implements SqlTransaction {
  readonly #tx: postgres.TransactionSql;

  constructor(tx: postgres.TransactionSql) {
    this.#tx = tx;
  }

  async query<R extends object = Row>(text: string, params?: readonly unknown[]): Promise<R[]> {
    const statement = params === undefined ? { text } : { text, params };
    return await mapped(() => rowsOf<R>(this.#tx, statement));
  }

  async script(text: string): Promise<void> {
    await mapped(() => this.#tx.unsafe(text));
  }
}

async function rowsOf<R extends object>(
  executor: Pool | postgres.TransactionSql,
  statement: SqlStatement,
): Promise<R[]> {
  const { text, params } = encodeStatement(statement);
  return Array.from(await executor.unsafe<R[]>(text, params, PREPARED));
}

async function mapped<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw failureOf(error);
  }
}

/** A fresh error: postgres.js hangs the statement's parameters on whatever it rejects with. */
function failureOf(error: unknown): SqlError {
  const { kind, message, sqlState, constraint } = asSqlError(error);
  return new SqlError(kind, message, sqlState, constraint);
}
