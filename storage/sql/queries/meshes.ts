/**
 * Reading a mesh as it is loaded into memory.
 */
import type { Custody } from "../../../broker/api/fields.ts";
import type { SqlExecutor } from "../port.ts";

/** A mesh with its current epoch and the head of its audit chain. */
export interface MeshRow {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  /** 64 hex. */
  readonly ownerPubkey: string;
  readonly custody: Custody;
  readonly epoch: number;
  /** When the current epoch began; null while it has none. */
  readonly epochAt: Date | null;
  /** Why the mesh key is to be rotated. */
  readonly rekeyReason: string | null;
  readonly createdAt: Date;
  readonly archivedAt: Date | null;
  /** Hash of the newest audit row; null before the first. */
  readonly auditHead: string | null;
}

/** Reads one mesh, archived or not; null when there is none. */
export async function selectMesh(executor: SqlExecutor, meshId: string): Promise<MeshRow | null> {
  const rows = await executor.query<MeshRow>(
    `select mesh.id, slug, name, owner_pubkey as "ownerPubkey", custody, mesh.epoch,
       mesh_epoch.created_at as "epochAt", rekey_reason as "rekeyReason",
       mesh.created_at as "createdAt", archived_at as "archivedAt",
       (select hash from mesh.audit_log where mesh_id = mesh.id order by id desc limit 1)
         as "auditHead"
     from mesh.mesh
     left join mesh.mesh_epoch on mesh_epoch.mesh_id = mesh.id and mesh_epoch.epoch = mesh.epoch
     where mesh.id = $1`,
    [meshId],
  );
  return rows[0] ?? null;
}
