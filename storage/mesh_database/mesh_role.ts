/**
 * A mesh's own place on a PostgreSQL server: a schema, and a role that may log in and reaches nothing else. Its password is
 * made anew by each start of the broker, which is the only one to know it.
 */
import { randomBytes } from "node:crypto";
import { type Sql, SqlError } from "../sql/port.ts";
import { meshSchema, programSchema } from "./names.ts";
import { scramVerifier } from "./scram_verifier.ts";

/** What a mesh's role and its schema are made of. */
export interface MeshRole {
  /** Also the schema's name. */
  readonly name: string;
  readonly password: string;
}

const PASSWORD_BYTES = 32;

/**
 * What the role's own sessions cannot change: how much they may sort on disk, and that neither their statements nor what
 * these raise fills the server's log.
 */
const SUPERUSERS_SETTINGS = [
  "temp_file_limit = '256MB'",
  "log_min_messages = fatal",
  "log_min_error_statement = panic",
  "log_min_duration_statement = -1",
];

interface FoundRow {
  readonly isKnown: boolean;
  readonly isSuperuser: boolean;
}

const FOUND = `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1) AS "isKnown",
  current_setting('is_superuser')::bool AS "isSuperuser"`;

/**
 * Makes the role and both schemas where they are missing, gives the role a new password, and undoes what its own sessions
 * may have set for it.
 * @param connections that the role may have at once.
 * @throws {SqlError} `unavailable` with what to do when the broker's own user may not make roles.
 */
export async function openMeshRole(
  sql: Sql,
  meshId: string,
  connections: number,
): Promise<MeshRole> {
  const name = meshSchema(meshId);
  const password = randomBytes(PASSWORD_BYTES).toString("base64url");
  const attributes = `LOGIN NOCREATEDB NOCREATEROLE NOINHERIT CONNECTION LIMIT ${connections}
    PASSWORD '${scramVerifier(password)}' VALID UNTIL 'infinity'`;
  try {
    await sql.transaction(async (tx) => {
      const [found] = await tx.query<FoundRow>(FOUND, [name]);
      if (found?.isKnown !== true) await tx.query(`CREATE ROLE "${name}" NOLOGIN`);
      await tx.query(`ALTER ROLE "${name}" ${attributes}`);
      await tx.query(`ALTER ROLE "${name}" RESET ALL`);
      if (found?.isSuperuser === true) {
        for (const setting of SUPERUSERS_SETTINGS) {
          await tx.query(`ALTER ROLE "${name}" SET ${setting}`);
        }
      } else {
        // Only so may it end the role's statements.
        await tx.query(`GRANT "${name}" TO CURRENT_USER`);
      }
      await tx.query(`CREATE SCHEMA IF NOT EXISTS "${name}"`);
      await tx.query(`GRANT USAGE, CREATE ON SCHEMA "${name}" TO "${name}"`);
      await tx.query(`CREATE SCHEMA IF NOT EXISTS "${programSchema(meshId)}"`);
    });
  } catch (error) {
    throw withAdvice(error);
  }
  return { name, password };
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof SqlError) || error.sqlState !== "42501") return error;
  return new SqlError(
    "unavailable",
    `the broker's PostgreSQL user may not make a role and a schema for the mesh (${error.message}); its operator must ` +
      "run ALTER ROLE <user> CREATEROLE, and GRANT CREATE ON DATABASE <database> TO <user>",
    error.sqlState,
  );
}
