/**
 * Makes a PostgreSQL database fit to hold other people's SQL: takes from every role what no mesh may do, adds the
 * extensions that are installed, and says what only the operator can mend.
 */
import { type Sql, SqlError } from "../sql/port.ts";
import { HIDDEN_CATALOGS, withoutTenantReach } from "./tenant_reach.ts";

/** What the server has. */
export interface PreparedServer {
  readonly extensions: ReadonlySet<"vector" | "age">;
  /** Where the vector type is, as SQL. */
  readonly extensionSchema: string;
}

interface ServerRow {
  readonly database: string;
  readonly isSuperuser: boolean;
  readonly publicMayCreate: boolean;
  readonly dblinkIsOpen: boolean;
}

const SERVER = `SELECT current_database() AS database,
  current_setting('is_superuser')::bool AS "isSuperuser",
  EXISTS (
    SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) a
    WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE'
  ) AS "publicMayCreate",
  EXISTS (
    SELECT 1 FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE p.proname LIKE 'dblink%' AND a.grantee = 0 AND a.privilege_type = 'EXECUTE'
  ) AS "dblinkIsOpen"`;

/** @throws {SqlError} `unavailable`: what the operator must change before any mesh may have SQL. */
export async function prepareServer(
  sql: Sql,
  onWarning: (message: string) => void,
): Promise<PreparedServer> {
  const [server] = await sql.query<ServerRow>(SERVER);
  if (server === undefined) throw new SqlError("other", "the server told nothing of itself");
  if (server.isSuperuser) {
    await sql.transaction(async (tx) => {
      await tx.script(withoutTenantReach(server.database) + HIDDEN_CATALOGS);
    });
  } else {
    requireFences(server);
    onWarning(
      "the broker's PostgreSQL user is no superuser: members' SQL sees the names and definitions of other meshes' " +
        "tables (not their rows), and shares advisory locks with the broker; docs/sql.md says what to run",
    );
  }
  const extensions = await addExtensions(sql, onWarning);
  const [row] = await sql.query<{ schema: string }>(
    `SELECT quote_ident(n.nspname) AS schema FROM pg_extension e
     JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'`,
  );
  return { extensions, extensionSchema: row?.schema ?? "public" };
}

function requireFences({ publicMayCreate, dblinkIsOpen }: ServerRow): void {
  const statements = [
    ...(publicMayCreate ? ["REVOKE CREATE ON SCHEMA public FROM PUBLIC"] : []),
    ...(dblinkIsOpen ? ["REVOKE EXECUTE ON the functions dblink* FROM PUBLIC"] : []),
  ];
  if (statements.length === 0) return;
  throw new SqlError(
    "unavailable",
    `everybody may do in this database what no mesh may; its operator must run: ${
      statements.join("; ")
    }`,
  );
}

async function addExtensions(
  sql: Sql,
  onWarning: (message: string) => void,
): Promise<ReadonlySet<"vector" | "age">> {
  const found = new Set<"vector" | "age">();
  for (const name of ["vector", "age"] as const) {
    const [row] = await sql.query<{ installed: string | null }>(
      "SELECT installed_version AS installed FROM pg_available_extensions WHERE name = $1",
      [name],
    );
    if (row === undefined) continue;
    try {
      if (row.installed === null) await sql.query(`CREATE EXTENSION IF NOT EXISTS ${name}`);
      if (name === "age") await sql.query("LOAD 'age'");
      found.add(name);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      onWarning(`the extension ${name} is installed but cannot be used: ${error.message}`);
    }
  }
  return found;
}
