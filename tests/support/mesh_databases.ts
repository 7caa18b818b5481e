/**
 * Mesh databases for tests: a case runs on every driver. The roles that a case leaves on the test server are removed with its
 * database.
 */
import { join } from "node:path";
import { PgliteMeshDatabases } from "../../storage/mesh_database/pglite.ts";
import type { MeshDatabases } from "../../storage/mesh_database/port.ts";
import { openPostgresMeshDatabases } from "../../storage/mesh_database/postgres.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { openPostgres, PostgresSql } from "../../storage/sql/postgres.ts";
import { linkMeshTemplate } from "./mesh_template.ts";
import { driverAvailable, openTestStore } from "./sql.ts";

export interface TestMeshDatabasesOptions {
  readonly diskBytes?: number;
  readonly maxOpen?: number;
  readonly idleMs?: number;
}

/** The databases of a test, and the folder or the broker's own store beside which they are. */
export interface TestMeshDatabases extends AsyncDisposable {
  readonly databases: MeshDatabases;
  /** The embedded driver's folder; null on a server. */
  readonly folder: string | null;
  /** The operator's view of the server; null for the embedded driver. */
  readonly operator: Sql | null;
}

/** Registers one test per driver that gets databases of its own. */
export function meshDatabasesTest(
  name: string,
  run: (test: TestMeshDatabases) => Promise<void>,
  options: TestMeshDatabasesOptions = {},
): void {
  for (const driver of ["pglite", "postgres"] as const) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: !driverAvailable(driver),
      fn: async () => {
        await using test = driver === "pglite"
          ? await openEmbedded(options)
          : await openOnServer(options);
        await run(test);
      },
    });
  }
}

/** Embedded databases in a folder of the test's own. */
export async function openEmbedded(
  options: TestMeshDatabasesOptions = {},
): Promise<TestMeshDatabases & { databases: PgliteMeshDatabases; folder: string }> {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-meshes-" });
  await linkMeshTemplate(dataDir);
  const folder = join(dataDir, "meshes");
  const databases = new PgliteMeshDatabases({ folder, ...options });
  return {
    databases,
    folder,
    operator: null,
    async [Symbol.asyncDispose]() {
      await databases.close();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

async function openOnServer({ diskBytes }: TestMeshDatabasesOptions): Promise<TestMeshDatabases> {
  const operator = await openTestStore("postgres");
  if (!(operator instanceof PostgresSql)) throw new TypeError("the test store is no server");
  const { databaseUrl } = operator;
  const databases = await openPostgresMeshDatabases({
    databaseUrl,
    ...(diskBytes === undefined ? {} : { diskBytes }),
  });
  return {
    databases,
    folder: null,
    operator,
    async [Symbol.asyncDispose]() {
      await databases.close();
      const roles = await meshRoles(operator);
      await endSessions(operator);
      await operator.close();
      await dropRoles(databaseUrl, roles);
    },
  };
}

/** Waits until no mesh's statement is left, however busy. */
async function endSessions(sql: Sql): Promise<void> {
  await sql.query(
    `SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity
     WHERE datname = current_database() AND usename LIKE 'meshdb\\_%'`,
  );
}

/** The roles of the meshes that have a schema in a database. */
export async function meshRoles(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `SELECT r.rolname::text AS name FROM pg_roles r JOIN pg_namespace n ON n.nspname = r.rolname
     WHERE r.rolname LIKE 'meshdb\\_%'`,
  );
  return rows.map(({ name }) => name);
}

/** Removes roles whose databases are gone. */
export async function dropRoles(databaseUrl: string, roles: readonly string[]): Promise<void> {
  if (roles.length === 0) return;
  const url = new URL(databaseUrl);
  url.pathname = "/postgres";
  const server = await openPostgres({ databaseUrl: url.href, maxConnections: 1 });
  try {
    for (const role of roles) await server.query(`DROP ROLE "${role}"`);
  } finally {
    await server.close();
  }
}

/** Ends a broker's mesh databases on a server, and removes their roles: they belong to the whole server. */
export async function forgetMeshRoles(databases: MeshDatabases, sql: Sql): Promise<void> {
  if (!(sql instanceof PostgresSql)) return;
  await databases.close();
  const roles = await meshRoles(sql);
  for (const role of roles) {
    await sql.query(`DROP OWNED BY "${role}" CASCADE`);
    await sql.query(`DROP SCHEMA "${role}" CASCADE`);
  }
  await dropRoles(sql.databaseUrl, roles);
}
