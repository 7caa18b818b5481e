/**
 * A mesh's own place on a PostgreSQL server: a schema, and a role that may log in and reaches nothing else. Its password is
 * made anew by each start of the broker, which is the only one to know it.
 */
import { randomCode } from "../../crypto/random.ts";
import { type Sql, SqlError } from "../sql/port.ts";
import { meshSchema, programSchema } from "./names.ts";
import { scramVerifier } from "./scram_verifier.ts";

/** What a mesh's role and its schema are made of. */
export interface MeshRole {
  /** Also the schema's name. */
  readonly name: string;
  readonly password: string;
}

const PASSWORD_CHARS = 43;

/**
 * Makes the role and both schemas where they are missing, and gives the role a new password.
 * @param connections that the role may have at once.
 * @throws {SqlError} `unavailable` with what to do when the broker's own user may not make roles.
 */
export async function openMeshRole(
  sql: Sql,
  meshId: string,
  connections: number,
): Promise<MeshRole> {
  const name = meshSchema(meshId);
  const password = randomCode(PASSWORD_CHARS);
  const attributes = `LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION ` +
    `NOBYPASSRLS CONNECTION LIMIT ${connections} PASSWORD '${scramVerifier(password)}'`;
  try {
    await sql.transaction(async (tx) => {
      const [{ known, isSuperuser } = { known: false, isSuperuser: false }] = await tx.query<
        { known: boolean; isSuperuser: boolean }
      >(
        `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1) AS known,
           current_setting('is_superuser')::bool AS "isSuperuser"`,
        [name],
      );
      if (!known) await tx.query(`CREATE ROLE "${name}" NOLOGIN`);
      if (isSuperuser) {
        await tx.query(`ALTER ROLE "${name}" ${attributes}`);
        // A superuser's setting of the role, which its own sessions cannot change.
        await tx.query(`ALTER ROLE "${name}" SET temp_file_limit = '256MB'`);
      } else {
        await tx.query(
          `ALTER ROLE "${name}" ${
            attributes.replace(/NOSUPERUSER|NOREPLICATION|NOBYPASSRLS/g, "")
          }`,
        );
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
