/**
 * Brings a database to the program's schema: numbered migrations, each in a transaction of its own
 * under one advisory lock, recorded in `mesh.migration` with a checksum.
 */
import { createHash } from "node:crypto";
import { type Migration, MIGRATIONS } from "./migrations.ts";
import { type Sql, SqlError, type SqlTransaction } from "./port.ts";

/** The lock that programs starting at once on one database wait for: "clmesh" in ASCII. */
const LOCK_ID = 0x636c6d657368;
/** For waiting for another program's migration, and for a long one of our own. */
const LOCK_TIMEOUT_MS = 60_000;

interface AppliedRow {
  readonly number: number;
  readonly name: string;
  readonly sha256: string;
}

/**
 * Applies what is missing.
 * @param migrations the program's, numbered from 1; the default is all there are.
 * @returns the numbers applied now.
 * @throws {SqlError} `invalid` when the database is newer than the program, or when a migration
 *   differs from the one that was applied; the failure of a migration, named in the message.
 */
export async function migrate(
  sql: Sql,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<number[]> {
  const applied = await sql.transaction(async (tx) => {
    await lock(tx);
    return await readApplied(tx);
  });
  refuseForeign(applied, migrations);
  const missing = migrations.slice(applied.length);
  const done: number[] = [];
  for (const migration of missing) {
    if (await applyOne(sql, migration)) done.push(migration.number);
  }
  return done;
}

async function lock(tx: SqlTransaction): Promise<void> {
  await tx.query(`SET LOCAL statement_timeout = ${LOCK_TIMEOUT_MS}`);
  await tx.query("SELECT pg_advisory_xact_lock($1::int8)", [LOCK_ID]);
}

async function readApplied(tx: SqlTransaction): Promise<AppliedRow[]> {
  const [table] = await tx.query("SELECT 1 WHERE to_regclass('mesh.migration') IS NOT NULL");
  if (table === undefined) {
    await tx.script(`CREATE SCHEMA IF NOT EXISTS mesh;
      CREATE TABLE mesh.migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      );`);
  }
  return await tx.query<AppliedRow>(
    "SELECT number, name, sha256 FROM mesh.migration ORDER BY number",
  );
}

function refuseForeign(applied: readonly AppliedRow[], migrations: readonly Migration[]): void {
  const newest = applied.at(-1)?.number ?? 0;
  if (newest > migrations.length) {
    throw new SqlError(
      "invalid",
      `the database has schema ${newest}, this program knows up to ${migrations.length}; ` +
        "start the newer program, or restore a backup from before it",
    );
  }
  for (const [index, row] of applied.entries()) {
    const migration = migrations[index];
    if (migration?.number === row.number && checksum(migration) === row.sha256) continue;
    throw new SqlError(
      "invalid",
      `migration ${row.number} (${row.name}) of the database is not the one this program has; ` +
        "start the program that made the database, or use another database",
    );
  }
}

/** @returns false when another program applied it meanwhile. */
async function applyOne(sql: Sql, migration: Migration): Promise<boolean> {
  return await sql.transaction(async (tx) => {
    await lock(tx);
    const [present] = await tx.query("SELECT 1 FROM mesh.migration WHERE number = $1", [
      migration.number,
    ]);
    if (present !== undefined) return false;
    await runScript(tx, migration);
    await tx.query("INSERT INTO mesh.migration (number, name, sha256) VALUES ($1, $2, $3)", [
      migration.number,
      migration.name,
      checksum(migration),
    ]);
    return true;
  });
}

async function runScript(tx: SqlTransaction, migration: Migration): Promise<void> {
  try {
    await tx.script(migration.text);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    throw new SqlError(
      error.kind,
      `migration ${migration.number} (${migration.name}): ${error.message}`,
      error.sqlState,
      error.constraint,
    );
  }
}

/** Of the text with plain line ends, so that a checkout on Windows has the same. */
function checksum(migration: Migration): string {
  return createHash("sha256").update(migration.text.replaceAll("\r\n", "\n")).digest("hex");
}
