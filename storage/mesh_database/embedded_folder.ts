/**
 * Makes the data folder that a mesh's embedded database starts from: with the extensions, and the two roles that all
 * statements run as. Runs in a worker of its own, whose memory goes with it.
 */
import { join } from "node:path";
import { flush } from "../sql/flush.ts";
import { type EmbeddedEnd, openEmbeddedPostgres } from "./embedded_postgres.ts";
import { withoutTenantReach } from "./tenant_reach.ts";

/**
 * `member` runs what members write, `program` what this program does for the mesh (vectors, graphs). AGE makes a schema
 * per graph.
 */
const ROLES_AND_EXTENSIONS = `
  CREATE EXTENSION vector;
  CREATE EXTENSION age;
  CREATE ROLE member;
  CREATE ROLE program;
  GRANT CREATE ON DATABASE postgres TO program;
  REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  GRANT USAGE ON SCHEMA ag_catalog TO program;
  GRANT SELECT ON ALL TABLES IN SCHEMA ag_catalog TO program;
  CREATE SCHEMA program AUTHORIZATION program;
  CREATE SCHEMA mesh_tenant;
  GRANT USAGE ON SCHEMA mesh_tenant TO member;
  CREATE FUNCTION mesh_tenant.used_bytes() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
    FROM pg_class WHERE relowner = 'member'::regrole AND relkind IN ('r', 'm', 'S')
  $$;
`;

/**
 * Fills `folder`, which must exist and be empty, and puts every file on disk.
 * @throws {SqlError} when PostgreSQL cannot be set up there.
 */
export async function makeEmbeddedFolder(
  folder: string,
  onEnd: EmbeddedEnd,
): Promise<void> {
  const postgres = await openEmbeddedPostgres(folder, onEnd);
  await postgres.script(ROLES_AND_EXTENSIONS);
  await postgres.script(withoutTenantReach("postgres"));
  await postgres.close();
  flushTree(folder);
}

function flushTree(folder: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) flushTree(path);
    else if (entry.isFile) flush(path);
  }
  // Windows has no handle to a folder that could be flushed; NTFS journals names itself.
  if (Deno.build.os !== "windows") flush(folder);
}
