/**
 * The mesh-database port: a database of each mesh's own, apart from the broker's tables and from every other mesh. Its
 * members' SQL, its vectors and its graph live there. Embedded it is a PGlite of its own in a process; on a server a
 * schema with a role of its own.
 */
import type { Row, SqlStatement } from "../sql/port.ts";

/** Bounds of one piece of work; what passes them is cut off. */
export interface WorkBounds {
  readonly timeoutMs: number;
}

/** Bounds of a member's own statement. */
export interface MemberSqlBounds extends WorkBounds {
  readonly maxRows: number;
  /** Of the rows as JSON objects, column names included. */
  readonly maxBytes: number;
  /** Rows to leave out before the first of the answer; default 0. */
  readonly skipRows?: number;
}

/** A member's own statement and what it may do. */
export interface MemberSql {
  /** One statement, as the member wrote it. */
  readonly text: string;
  /** True: in a read-only transaction. */
  readonly readOnly: boolean;
  readonly bounds: MemberSqlBounds;
}

export interface MemberSqlColumn {
  readonly name: string;
  /** PostgreSQL's name of the type, for example `int4`, `text`, `jsonb`. */
  readonly type: string;
}

export interface MemberSqlResult {
  readonly columns: readonly MemberSqlColumn[];
  /** Values in the order of the columns, mapped as by the `Sql` port, times as ISO 8601. */
  readonly rows: readonly (readonly unknown[])[];
  /** Rows returned or affected, also those beyond the bounds; null where that is unknown. */
  readonly rowCount: number | null;
  /** True when `rows` was cut at a bound. */
  readonly isCut: boolean;
}

/** The databases of all meshes of a broker. */
export interface MeshDatabases {
  readonly driver: "pglite" | "postgres";
  /** Which of the extensions its databases have: `vector`, `age`. */
  readonly extensions: ReadonlySet<"vector" | "age">;
  /**
   * Makes what the first use of any mesh would wait for; who uses one meanwhile waits for the same.
   * @throws {SqlError} why it could not; the first use tries again.
   */
  prepare(): Promise<void>;
  /**
   * Runs the program's own statements (never a member's text) in one transaction of the mesh's database, which comes
   * into being with the first call. Unqualified names are of a schema of the program's own, which no member's statement
   * reaches; the extensions' types are in the search path, and AGE is loaded.
   * @returns the rows of each statement, in order.
   * @throws {SqlError} kind `timeout` when it was cut off, `unavailable` when the database cannot be opened.
   */
  batch(meshId: string, statements: readonly SqlStatement[], bounds: WorkBounds): Promise<Row[][]>;
  /**
   * Runs one statement that a member wrote, with that mesh's rights alone, in a transaction of its own.
   * @throws {SqlError} as PostgreSQL refused it (`invalid`, `conflict`, ...), `timeout` when it was cut off, `full` when
   *   the mesh's share of the disk is used up.
   */
  run(meshId: string, sql: MemberSql): Promise<MemberSqlResult>;
  /** Whether the mesh has a database yet; asking makes none. */
  exists(meshId: string): Promise<boolean>;
  /** Ends all work and closes every database. Idempotent. */
  close(): Promise<void>;
}
