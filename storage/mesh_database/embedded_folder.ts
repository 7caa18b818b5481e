/**
 * Makes the data folder that meshes' embedded databases start from, with the extensions and the two roles that all
 * statements run as, and copies it for a new one.
 */
import { dirname, join } from "node:path";
import { flush } from "../sql/flush.ts";
import { copyTree } from "./copy_tree.ts";
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

/** What new databases are made from on a server; without them a copy is a third as large, in as many files. */
const TEMPLATE_DATABASES = ["template0", "template1"];

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
  for (const name of TEMPLATE_DATABASES) {
    await postgres.script(`ALTER DATABASE ${name} IS_TEMPLATE false`);
    await postgres.script(`DROP DATABASE ${name}`);
  }
  await postgres.close();
  flushTree(folder);
}

/**
 * Copies such a folder to `folder`, whose parent exists. The copy gets its name only when it is whole and on disk.
 * @throws the system's error when the disk refuses.
 */
export async function copyEmbeddedFolder(template: string, folder: string): Promise<void> {
  const unfinished = `${folder}.new`;
  await Deno.remove(unfinished, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await copyTree(template, unfinished);
  await Deno.rename(unfinished, folder);
  if (Deno.build.os !== "windows") flush(dirname(folder));
}

/**
 * Keeps a mesh's folder to this process for as long as it lives; its parent is made, 0700. Waits for a process that was
 * killed and is not gone yet: two at once would destroy the database.
 */
export async function claimEmbeddedFolder(folder: string): Promise<void> {
  await Deno.mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const lock = await Deno.open(`${folder}.lock`, { write: true, create: true, mode: 0o600 });
  await lock.lock(true);
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
