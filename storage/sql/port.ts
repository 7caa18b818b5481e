/**
 * The SQL port: what the rest of the program may ask of a database, whichever driver is behind it.
 * Both drivers speak PostgreSQL's dialect and map values alike (see `values.ts`):
 *
 * | SQL | JavaScript |
 * |---|---|
 * | int2, int4, int8, oid | number; an int8 beyond 2^53 - 1 makes the query fail |
 * | float4, float8 | number |
 * | numeric | string |
 * | bool | boolean |
 * | text, varchar, char, name, uuid | string |
 * | json, jsonb | the parsed JSON |
 * | timestamptz, timestamp | Date, to the millisecond (timestamp is read as UTC) |
 * | bytea | Uint8Array |
 * | arrays of these, one dimension | Array |
 * | void, and every other type | string in PostgreSQL's text form |
 *
 * Parameters go the same ways. An array is always an SQL array, never JSON; cast it in the text when
 * PostgreSQL cannot infer its type, as in `unnest($1::text[], $2::int8[])`. A plain object is sent as
 * its JSON. **JSON that may be an array, a string or another scalar is passed as text the caller
 * made: `JSON.stringify(value)` for `$1::jsonb`**; a string parameter is never encoded again.
 * `undefined` is refused, so that a forgotten value does not become NULL.
 */

/** One statement of a batch. */
export interface SqlStatement {
  readonly text: string;
  readonly params?: readonly unknown[];
}

/** What runs statements: the store itself, or one transaction of it. */
export interface SqlExecutor {
  /**
   * Runs one parametrised statement.
   * @returns its rows, keyed by column name; empty for a statement that returns none.
   * @throws {SqlError} with the kind of failure; it never carries parameter values.
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    params?: readonly unknown[],
  ): Promise<Row[]>;
}

/** One transaction under way. */
export interface SqlTransaction extends SqlExecutor {
  /** Runs a script of several statements without parameters, as migrations are. */
  script(text: string): Promise<void>;
}

/** A database: pooled connections to a server, or the embedded one. */
export interface Sql extends SqlExecutor {
  readonly driver: "pglite" | "postgres";
  /** How a commit reaches the disk, for people: shown at start and by `/health`. */
  readonly durability: string;
  /**
   * Runs all statements in one transaction, in order, in one round trip where the driver can.
   * Nothing is kept when one fails. Resolves after the commit is on disk.
   * @returns the rows of each statement, in order.
   */
  batch(statements: readonly SqlStatement[]): Promise<Row[][]>;
  /**
   * As `batch`, for the one writer that need not wait: its batches run in the order they were sent.
   * @param behind sent while the one before it is under way: it runs only if that one is kept, and
   *   is refused with kind `skipped` otherwise.
   */
  batchInLine(statements: readonly SqlStatement[], behind: boolean): Promise<void>;
  /**
   * Runs `run` in one transaction: committed when it resolves, rolled back when it rejects, and when
   * one of its statements failed even if `run` caught that (PostgreSQL aborts there). With the
   * embedded driver nothing else runs meanwhile: wait for nothing but `tx` inside, and never for
   * the store itself, which would wait for the transaction.
   */
  transaction<T>(run: (tx: SqlTransaction) => Promise<T>): Promise<T>;
  /**
   * Calls `onNotify` with the payload of every `NOTIFY` on `channel`, also of other connections.
   * Payloads sent while the connection was lost are lost too.
   * @returns a function that ends it.
   */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>;
  /** Reads something back without writing; rejects when the database does not answer. */
  ping(): Promise<void>;
  /** Ends all connections. Calls under way may be rejected with kind `unavailable`. Idempotent. */
  close(): Promise<void>;
}

/** A row of unknown shape. */
export type Row = Record<string, unknown>;

/**
 * What a failure means to the caller:
 * `unavailable` (no connection; try again later), `conflict` (a constraint, or a serialisation
 * failure or deadlock), `full` (the disk or another resource), `timeout` (cancelled for taking too
 * long), `invalid` (a value or a statement PostgreSQL refuses), `skipped` (never begun: see
 * `batchInLine`), `other`.
 */
export type SqlErrorKind =
  | "unavailable"
  | "conflict"
  | "full"
  | "timeout"
  | "invalid"
  | "skipped"
  | "other";

/** A database failure, without parameter values: its message may go to a log. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  readonly kind: SqlErrorKind;
  /** The five-character SQLSTATE, or null when the failure did not come from PostgreSQL. */
  readonly sqlState: string | null;
  /** The violated constraint's name, when the server named one. */
  readonly constraint: string | null;

  constructor(
    kind: SqlErrorKind,
    message: string,
    sqlState: string | null = null,
    constraint: string | null = null,
  ) {
    super(message);
    this.kind = kind;
    this.sqlState = sqlState;
    this.constraint = constraint;
  }
}
