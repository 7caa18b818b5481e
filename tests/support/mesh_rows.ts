/**
 * All that the broker's tables hold of one mesh, whatever tables there are.
 */
import type { Sql } from "../../storage/sql/port.ts";

/** Table -> its rows of the mesh as JSON texts, in a fixed order. */
export type MeshRows = ReadonlyMap<string, readonly string[]>;

/** Comings and goings are written some time after they happened. */
const LATER = `coalesce(to_jsonb(t) ->> 'event_type' NOT IN ('peer_joined', 'peer_left'), true)`;

/** Rows that the broker writes some time after what they are about, or on its own. */
export const LAZY_TABLES: ReadonlySet<string> = new Set([
  "presence",
  "peer_state",
  "member_stats",
  "receipt",
  "delivery",
]);

/** The tables with a column `mesh_id`, and `mesh` itself. */
export async function meshTables(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `SELECT table_name::text AS name FROM information_schema.columns
     WHERE table_schema = 'mesh' AND column_name = 'mesh_id' ORDER BY 1`,
  );
  return ["mesh", ...rows.map(({ name }) => name)];
}

/**
 * What the tables hold of a mesh, but for those of `without`, for when members were seen last, and for what the audit log
 * says of comings and goings.
 */
export async function meshRows(
  sql: Sql,
  meshId: string,
  without: ReadonlySet<string> = new Set(),
): Promise<MeshRows> {
  const tables = (await meshTables(sql)).filter((table) => !without.has(table));
  const selects = tables.map((table) =>
    `SELECT '${table}' AS "table", (to_jsonb(t) - 'last_seen_at')::text AS "row"
     FROM mesh.${table} t WHERE t.${table === "mesh" ? "id" : "mesh_id"} = $1 AND ${LATER}`
  );
  const rows = await sql.query<{ table: string; row: string }>(
    `${selects.join(" UNION ALL ")} ORDER BY 1, 2`,
    [meshId],
  );
  const found = new Map<string, string[]>(tables.map((table) => [table, []]));
  for (const { table, row } of rows) found.get(table)?.push(row);
  return found;
}

/** The tables that differ. */
export function changedTables(before: MeshRows, after: MeshRows): string[] {
  return [...after.keys()].filter((table) =>
    JSON.stringify(before.get(table)) !== JSON.stringify(after.get(table))
  );
}
