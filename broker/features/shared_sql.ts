/**
 * A mesh's own SQL tables: what members write runs in the mesh's own database, with that mesh's rights alone.
 */
import type { MemberSql, MemberSqlResult } from "../../storage/mesh_database/port.ts";
import { SqlError } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import type { sharedSql as contract } from "../api/shared_sql.ts";
import type { Call } from "../core/context.ts";

type SchemaOutput = Awaited<ReturnType<Handlers<typeof contract, Call>["schema"]>>;
type Tables = SchemaOutput["tables"];

export const sharedSql: Handlers<typeof contract, Call> = {
  async query(call, { sql, limit, offset }) {
    const result = await run(call, { text: sql, readOnly: true }, { limit, offset });
    return shown(result, offset);
  },

  async execute(call, { sql }) {
    const { broker, connection: { mesh, member } } = call;
    const limit = broker.settings.limits.sqlRows;
    const audited = broker.ledger.append({
      mesh,
      statements: [],
      audits: [{ event: "sql_executed", actor: member, payload: { chars: sql.length } }],
    });
    // The mesh's database commits on its own; what may have changed it is on record before.
    await audited;
    const result = await run(call, { text: sql, readOnly: false }, { limit, offset: 0 });
    return { ...shown(result, 0), nextOffset: null };
  },

  async schema(call) {
    const { sqlTables } = call.broker.settings.limits;
    const text = schemaText(sqlTables + 1);
    const result = await run(call, { text, readOnly: true }, { limit: sqlTables + 1, offset: 0 });
    const tables = result.rows.map(([table]) => table) as Tables;
    return {
      tables: tables.slice(0, sqlTables),
      truncated: tables.length > sqlTables || result.isCut,
    };
  },
};

/** The tables of the first schema of the search path, one JSON document a row; `limit` is a number of ours. */
function schemaText(limit: number): string {
  return `SELECT json_build_object(
      'name', c.relname,
      'kind', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' ELSE 'table' END,
      'columns', coalesce((
        SELECT json_agg(json_strip_nulls(json_build_object(
          'name', a.attname,
          'type', format_type(a.atttypid, a.atttypmod),
          'nullable', NOT a.attnotnull,
          'default', pg_get_expr(d.adbin, d.adrelid),
          'primaryKey', CASE WHEN a.attnum = ANY (i.indkey::int2[]) THEN true END
        )) ORDER BY a.attnum)
        FROM pg_attribute a
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      ), '[]'::json))
    FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    ORDER BY c.relname
    LIMIT ${limit}`;
}

async function run(
  { broker, connection: { mesh, member } }: Call,
  sql: Pick<MemberSql, "text" | "readOnly">,
  { limit, offset }: { limit: number; offset: number },
): Promise<MemberSqlResult> {
  const { limits } = broker.settings;
  const perMinute = limits.sqlStatementsPerMinute;
  broker.rates.require(`sql ${member.id}`, { perMinute, burst: perMinute / 2 }, "SQL statements");
  const bounds = {
    timeoutMs: limits.sqlTimeoutMs,
    maxRows: limit,
    maxBytes: limits.sqlResultBytes,
    skipRows: offset,
  };
  try {
    return await broker.stores.meshDatabases.run(mesh.id, { ...sql, bounds });
  } catch (error) {
    throw refusal(error, limits);
  }
}

/** The member's own statement failed: PostgreSQL's words are for the one who wrote it. */
function refusal(error: unknown, limits: { sqlTimeoutMs: number; sqlDiskBytes: number }): unknown {
  if (!(error instanceof SqlError)) return error;
  const { kind, sqlState, message } = error;
  if (kind === "timeout") {
    return new MeshError(
      "limit",
      `the statement was cut off after ${limits.sqlTimeoutMs} ms; read fewer rows, or add an index`,
      { data: { limit: limits.sqlTimeoutMs }, cause: error },
    );
  }
  if (kind === "full") {
    return new MeshError(
      "limit",
      `${message}; a mesh's database has ${limits.sqlDiskBytes} bytes: delete rows or drop tables`,
      { data: { limit: limits.sqlDiskBytes }, cause: error },
    );
  }
  if (kind === "unavailable" || sqlState === null) return error;
  const text = `${message} (SQLSTATE ${sqlState})`;
  if (sqlState === "42501") return new MeshError("forbidden", text, { cause: error });
  if (sqlState === "25006") {
    return new MeshError("invalid_argument", `${text}; use mesh_execute to change something`);
  }
  return new MeshError(kind === "conflict" ? "conflict" : "invalid_argument", text);
}

function shown({ columns, rows, rowCount, isCut }: MemberSqlResult, offset: number) {
  const names = unique(columns.map(({ name }) => name));
  return {
    columns: names,
    types: columns.map(({ type }) => type),
    rows: rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))),
    rowCount: columns.length > 0 ? rows.length : rowCount ?? 0,
    truncated: isCut,
    nextOffset: isCut ? offset + rows.length : null,
  };
}

/** `["a", "a"]` -> `["a", "a_2"]`: a row has each value under a name of its own. */
function unique(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let count = 2; taken.has(free); count++) free = `${name}_${count}`;
    taken.add(free);
    return free;
  });
}
