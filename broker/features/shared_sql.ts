/**
 * A mesh's own SQL tables: what members write runs in the mesh's own database, with that mesh's rights alone.
 */
import { meshSchema } from "../../storage/mesh_database/names.ts";
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
    takeTurn(call);
    const result = await run(call, { text: sql, readOnly: true }, { limit, offset });
    return shown(result, offset);
  },

  async execute(call, { sql }) {
    const { broker, connection: { mesh, member } } = call;
    takeTurn(call);
    // The mesh's database commits on its own: what may change it is on record before.
    await broker.ledger.append({
      mesh,
      statements: [],
      audits: [{ event: "sql_executed", actor: member, payload: { chars: sql.length } }],
    });
    const { sqlRows } = broker.settings.limits;
    const result = await run(call, { text: sql, readOnly: false }, { limit: sqlRows, offset: 0 });
    return { ...shown(result, 0), nextOffset: null };
  },

  async schema(call) {
    const { broker, connection: { mesh } } = call;
    takeTurn(call);
    const { limits } = broker.settings;
    const statement = {
      text: SCHEMA,
      params: [meshSchema(mesh.id), limits.sqlTables + 1, limits.sqlColumns],
    };
    const bounds = { timeoutMs: limits.sqlTimeoutMs };
    try {
      const [rows = []] = await broker.stores.meshDatabases.batch(mesh.id, [statement], bounds);
      const tables = rows.map(({ table }) => table) as Tables;
      const fitting = fittingTables(tables.slice(0, limits.sqlTables), limits.sqlResultBytes);
      return { tables: fitting, truncated: tables.length > fitting.length };
    } catch (error) {
      throw refusal(error, limits);
    }
  },
};

/** The tables of schema `$1`, one JSON document a row: at most `$2` tables with `$3` columns each. */
const SCHEMA = `SELECT json_build_object(
    'name', c.relname,
    'kind', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
      WHEN 'f' THEN 'foreign table' ELSE 'table' END,
    'columns', coalesce((
      SELECT json_agg(json_strip_nulls(json_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'nullable', NOT a.attnotnull,
        'default', left(pg_get_expr(d.adbin, d.adrelid), 200),
        'primaryKey', CASE WHEN a.attnum = ANY (i.indkey::int2[]) THEN true END
      )) ORDER BY a.attnum)
      FROM pg_attribute a
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
      WHERE a.attrelid = c.oid AND a.attnum BETWEEN 1 AND $3 AND NOT a.attisdropped
    ), '[]'::json)) AS "table"
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  ORDER BY c.relname
  LIMIT $2`;

function fittingTables(tables: Tables, maxBytes: number): Tables {
  let left = maxBytes;
  const end = tables.findIndex((table) => (left -= JSON.stringify(table).length) < 0);
  return end < 0 ? tables : tables.slice(0, Math.max(1, end));
}

function takeTurn({ broker, connection: { member } }: Call): void {
  const perMinute = broker.settings.limits.sqlStatementsPerMinute;
  broker.rates.require(`sql ${member.id}`, { perMinute, burst: perMinute / 2 }, "SQL statements");
}

async function run(
  { broker, connection: { mesh } }: Call,
  sql: Pick<MemberSql, "text" | "readOnly">,
  { limit, offset }: { limit: number; offset: number },
): Promise<MemberSqlResult> {
  const { limits } = broker.settings;
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

/** PostgreSQL's words are for the member who wrote the statement; what is the broker's own trouble is passed on. */
function refusal(error: unknown, limits: { sqlTimeoutMs: number; sqlDiskBytes: number }): unknown {
  if (!(error instanceof SqlError)) return error;
  const { kind, sqlState, message } = error;
  if (kind === "timeout") {
    const text =
      `the statement was cut off after ${limits.sqlTimeoutMs} ms; read fewer rows, or add an index`;
    return new MeshError("limit", text, { data: { limit: limits.sqlTimeoutMs } });
  }
  if (kind === "unavailable") {
    return new MeshError("unavailable", message, { data: { retry_after_ms: 1_000 } });
  }
  if (kind === "full" && sqlState === null) {
    const limit = limits.sqlDiskBytes;
    const text = `${message}, and ${limit} is the most; delete rows or drop tables first`;
    return new MeshError("limit", text, { data: { limit } });
  }
  if (sqlState === null) return error;
  const text = `${message} (SQLSTATE ${sqlState})`;
  if (kind === "full") return new MeshError("limit", `${text}; do less in one statement`);
  if (sqlState === "42501") return new MeshError("forbidden", text);
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
