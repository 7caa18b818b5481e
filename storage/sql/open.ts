/** Opens the store that the configuration names, at the program's schema. */
import { migrate } from "./migrate.ts";
import type { Sql } from "./port.ts";

/** Which database to use. */
export interface StoreOptions {
  /** A PostgreSQL server's URL; without it the embedded database is used. */
  readonly databaseUrl?: string | undefined;
  /** The broker's data folder, for the embedded database; null keeps it in memory. */
  readonly dataDir: string | null;
  /** Told when the embedded database's upkeep failed; statements go on. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Opens a database without touching its schema. Only the driver in use is loaded.
 * @throws {SqlError} why it could not be opened.
 */
export async function openSql(options: StoreOptions): Promise<Sql> {
  const { databaseUrl, dataDir, onWarning } = options;
  if (databaseUrl !== undefined) {
    const { openPostgres } = await import("./postgres.ts");
    return await openPostgres({ databaseUrl });
  }
  const { openPglite } = await import("./pglite.ts");
  return await openPglite(onWarning === undefined ? { dataDir } : { dataDir, onWarning });
}

/**
 * Opens a database and brings it to the program's schema.
 * @throws {SqlError} why it could not be opened or migrated; the database is closed then.
 */
export async function openMigratedSql(options: StoreOptions): Promise<Sql> {
  const sql = await openSql(options);
  try {
    await migrate(sql);
    return sql;
  } catch (error) {
    await sql.close();
    throw error;
  }
}
