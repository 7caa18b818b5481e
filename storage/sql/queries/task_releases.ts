/**
 * Tasks that come free by themselves: their lease ran out, or their holder is no member any more.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** A task that came free. */
export interface ReleasedTask {
  readonly id: string;
  /** The member that held it. */
  readonly holder: string;
  readonly why: "lease_expired" | "holder_left";
}

const RELEASE = `update mesh.task set status = 'open', claimed_by_member_id = null,
    claimed_by_name = null, claimed_by_session = null, claimed_at = null, lease_expires_at = null
  from before where task.id = before.id
  returning task.id, before.holder, before.why`;

/** Meshes that have claimed tasks whose lease has run out, or whose holder has left or was banned. */
export async function meshesWithFreedTasks(
  executor: SqlExecutor,
  nowMs: number,
): Promise<string[]> {
  const rows = await executor.query<{ meshId: string }>(
    `select distinct task.mesh_id as "meshId" from mesh.task
      join mesh.member on member.id = task.claimed_by_member_id
      where task.status = 'claimed' and (task.lease_expires_at <= $1
        or member.left_at is not null or member.revoked_at is not null)`,
    [new Date(nowMs)],
  );
  return rows.map((row) => row.meshId);
}

/** Makes those tasks of a mesh open again. */
export async function releaseFreedTasks(
  executor: SqlExecutor,
  meshId: string,
  nowMs: number,
): Promise<ReleasedTask[]> {
  return await executor.query<ReleasedTask>(
    `with before as (
       select task.id, claimed_by_member_id as holder, case when lease_expires_at <= $2
         then 'lease_expired' else 'holder_left' end as why
       from mesh.task join mesh.member on member.id = task.claimed_by_member_id
       where task.mesh_id = $1 and task.status = 'claimed' and (task.lease_expires_at <= $2
         or member.left_at is not null or member.revoked_at is not null)
     ) ${RELEASE}`,
    [meshId, new Date(nowMs)],
  );
}

/** Makes all that some members of a mesh hold open again. */
export async function releaseTasksOf(
  executor: SqlExecutor,
  meshId: string,
  memberIds: readonly string[],
): Promise<ReleasedTask[]> {
  return await executor.query<ReleasedTask>(
    `with before as (
       select id, claimed_by_member_id as holder, 'holder_left' as why from mesh.task
       where mesh_id = $1 and status = 'claimed' and claimed_by_member_id = any($2::text[])
     ) ${RELEASE}`,
    [meshId, memberIds],
  );
}

/** Lets anybody claim what only these members could. Returns the ids of those tasks. */
export async function unassignTasksOf(
  executor: SqlExecutor,
  meshId: string,
  memberIds: readonly string[],
): Promise<string[]> {
  const rows = await executor.query<{ id: string }>(
    `update mesh.task set assignee = null, assignee_member_id = null
      where mesh_id = $1 and closed_at is null and assignee_member_id = any($2::text[])
      returning id`,
    [meshId, memberIds],
  );
  return rows.map((row) => row.id);
}

/** Deletes tasks of every mesh that were closed before `beforeMs`, but those that open ones depend on. */
export function deleteOldTasks(beforeMs: number): SqlStatement {
  return {
    text: `delete from mesh.task where closed_at < $1 and not exists (
       select from mesh.task_dependency d join mesh.task t on t.id = d.task_id
       where d.depends_on = task.id and t.closed_at is null)`,
    params: [new Date(beforeMs)],
  };
}
