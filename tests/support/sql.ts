/**
 * Databases for tests: a case runs on every driver, on one migrated store per driver and file that
 * is emptied before each use. PostgreSQL is taken from `TEST_DATABASE_URL` (a URL whose user may
 * create databases); without it that half is reported as ignored.
 */
import { createHash, randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { migrate } from "../../storage/sql/migrate.ts";
import { MIGRATIONS } from "../../storage/sql/migrations.ts";
import { openPglite } from "../../storage/sql/pglite.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { openPostgres } from "../../storage/sql/postgres.ts";

/** Which database a store runs on. */
export type SqlDriver = Sql["driver"];

const DRIVERS: readonly SqlDriver[] = ["pglite", "postgres"];
const TEST_DATABASE_URL = Deno.env.get("TEST_DATABASE_URL");
const shared = new Map<SqlDriver, Promise<Sql>>();

if (TEST_DATABASE_URL === undefined) {
  console.log("TEST_DATABASE_URL is not set: what needs a PostgreSQL server is ignored");
}

/** Whether a driver can be tested here. */
export function driverAvailable(driver: SqlDriver): boolean {
  return driver === "pglite" || TEST_DATABASE_URL !== undefined;
}

/**
 * Registers one test per driver, named `<name> (<driver>)`.
 * @param run gets `open`, which returns the file's store, migrated and emptied; it is not closed
 *   between tests, so the leak sanitizers are off in them.
 */
export function eachDriver(
  name: string,
  run: (open: () => Promise<Sql>, driver: SqlDriver) => Promise<void>,
): void {
  for (const driver of DRIVERS) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: !driverAvailable(driver),
      sanitizeOps: false,
      sanitizeResources: false,
      fn: () => run(() => openShared(driver), driver),
    });
  }
}

Deno.test.afterAll(async () => {
  for (const store of shared.values()) await (await store).close();
  shared.clear();
});

async function openShared(driver: SqlDriver): Promise<Sql> {
  const opened = shared.get(driver) ?? openTestStore(driver);
  shared.set(driver, opened);
  const sql = await opened;
  await truncateAll(sql);
  return sql;
}

/** A store of the caller's own, migrated and empty. Its `close` removes it. */
export async function openTestStore(driver: SqlDriver): Promise<Sql> {
  if (driver === "postgres") return await openTestDatabase();
  return await openPglite({ dataDir: null, template: await pgliteTemplate() });
}

/** Empties every table of the schema but the record of migrations, and restarts their counters. */
export async function truncateAll(sql: Sql): Promise<void> {
  const [row] = await sql.query<{ tables: string | null }>(
    `SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') AS tables
     FROM pg_tables WHERE schemaname = 'mesh' AND tablename <> 'migration'`,
  );
  const tables = row?.tables ?? null;
  if (tables !== null) await sql.query(`TRUNCATE ${tables} RESTART IDENTITY CASCADE`);
}

/** Makes a database of its own on the test server; `close` drops it. */
async function openTestDatabase(): Promise<Sql> {
  const name = `claudemesh_test_${randomUUID().replaceAll("-", "")}`;
  await onTestServer(`CREATE DATABASE ${name}`);
  const sql = await openPostgres({ databaseUrl: testDatabaseUrl(name) });
  await migrate(sql);
  const close = sql.close.bind(sql);
  let closing: Promise<void> | null = null;
  sql.close = () => {
    closing ??= close().then(() => onTestServer(`DROP DATABASE ${name} WITH (FORCE)`));
    return closing;
  };
  return sql;
}

/** The test server's URL for one of its databases. */
export function testDatabaseUrl(database: string): string {
  if (TEST_DATABASE_URL === undefined) throw new Error("TEST_DATABASE_URL is not set");
  const url = new URL(TEST_DATABASE_URL);
  url.pathname = `/${database}`;
  return url.href;
}

async function onTestServer(statement: string): Promise<void> {
  const server = await openPostgres({
    databaseUrl: testDatabaseUrl("postgres"),
    maxConnections: 1,
  });
  try {
    await server.query(statement);
  } finally {
    await server.close();
  }
}

/**
 * A migrated PGlite as a tar. The first test file that needs it makes it (several seconds) and
 * leaves it in the temporary folder for all others, also of later runs with the same migrations.
 */
export async function pgliteTemplate(): Promise<Uint8Array<ArrayBuffer>> {
  const key = createHash("sha256")
    .update(JSON.stringify([MIGRATIONS, config.imports["@electric-sql/pglite"]]))
    .digest("hex");
  const path = join(tmpdir(), `claudemesh-test-${key.slice(0, 16)}.tar`);
  const lock = await Deno.open(`${path}.lock`, { write: true, create: true });
  try {
    await lock.lock(true);
    return await Deno.readFile(path).catch(() => makeTemplate(path));
  } finally {
    lock.close();
  }
}

async function makeTemplate(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const sql = await openPglite({ dataDir: null });
  try {
    await migrate(sql);
    const tar = await sql.dump();
    await Deno.writeFile(`${path}.new`, tar);
    await Deno.rename(`${path}.new`, path);
    return tar;
  } finally {
    await sql.close();
  }
}
