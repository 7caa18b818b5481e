/**
 * Rows that a message log refers to: a mesh and its members with given numbers.
 */
import type { Sql } from "../../storage/sql/port.ts";

/** Inserts mesh `meshId` with members `<meshId>-m<number>`. */
export async function insertMembers(
  sql: Sql,
  meshId: string,
  numbers: readonly number[],
): Promise<void> {
  await sql.query(
    `insert into mesh.mesh (id, slug, name, owner_pubkey, custody, created_at)
    values ($1, $1, $1, 'owner', 'members', now())`,
    [meshId],
  );
  await sql.query(
    `insert into mesh.member (id, number, mesh_id, peer_pubkey, display_name, role, proven, joined_at)
    overriding system value
    select $1 || '-m' || n, n, $1, 'key' || n, 'member ' || n, 'member', true, now()
    from unnest($2::int4[]) as w (n)`,
    [meshId, numbers],
  );
}
