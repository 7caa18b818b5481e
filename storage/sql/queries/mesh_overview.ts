/**
 * How much of what a mesh shares there is, for its overview. Large counts end at a bound: nobody reads further.
 */
import type { SqlExecutor } from "../port.ts";

export interface MeshCounts {
  readonly memories: number;
  readonly files: number;
  readonly skills: number;
}

/** Counts memories, files and skills of a mesh, each up to `most`. */
export async function countShared(
  sql: SqlExecutor,
  meshId: string,
  nowMs: number,
  most: number,
): Promise<MeshCounts> {
  const [row] = await sql.query<MeshCounts>(
    `select
       (select count(*) from (select from mesh.memory where mesh_id = $1 and forgotten_at is null
         and (expires_at is null or expires_at > $2) limit $3) as memory) as memories,
       (select count(*) from (select from mesh.file where mesh_id = $1 and state = 'shared'
         limit $3) as file) as files,
       (select count(*) from mesh.skill where mesh_id = $1) as skills`,
    [meshId, new Date(nowMs), most],
  );
  return row!;
}
