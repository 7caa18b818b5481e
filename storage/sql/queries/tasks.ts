/**
 * Tasks, as they are and as they change. Every change is one statement whose condition is the whole rule, so that of two
 * that want the same only one finds a row.
 */
import type { TaskPriority, TaskStatus } from "../../../broker/api/tasks.ts";
import type { SqlExecutor } from "../port.ts";

/** A row of `mesh.task` with what depends on what. */
export interface TaskRow {
  readonly id: string;
  readonly title: string;
  readonly hasDescription: boolean;
  readonly status: TaskStatus;
  readonly priority: TaskPriority;
  readonly tags: readonly string[];
  /** As it was named. */
  readonly assignee: string | null;
  readonly assigneeMemberId: string | null;
  /** Lower case, without the @. */
  readonly assigneeGroup: string | null;
  readonly createdByMemberId: string;
  readonly createdByName: string;
  readonly claimedByMemberId: string | null;
  readonly claimedByName: string | null;
  readonly claimedBySession: string | null;
  readonly leaseExpiresAt: Date | null;
  readonly closedByName: string | null;
  readonly hasResult: boolean;
  readonly createdAt: Date;
  readonly claimedAt: Date | null;
  readonly closedAt: Date | null;
  readonly dependsOn: readonly string[];
  /** Those of `dependsOn` that are not closed. */
  readonly waitsFor: readonly string[];
}

/** Without the long texts, which are read for one task only. */
const COLUMNS = `id, title, status, priority, tags, assignee,
  assignee_member_id as "assigneeMemberId", assignee_group as "assigneeGroup",
  created_by_member_id as "createdByMemberId", created_by_name as "createdByName",
  claimed_by_member_id as "claimedByMemberId", claimed_by_name as "claimedByName",
  claimed_by_session as "claimedBySession", lease_expires_at as "leaseExpiresAt",
  closed_by_name as "closedByName", result is not null as "hasResult", description is not null as "hasDescription",
  created_at as "createdAt", claimed_at as "claimedAt", closed_at as "closedAt",
  array(select d.depends_on from mesh.task_dependency d where d.task_id = task.id
    order by d.depends_on) as "dependsOn",
  array(select d.depends_on from mesh.task_dependency d join mesh.task t on t.id = d.depends_on
    where d.task_id = task.id and t.closed_at is null order by d.depends_on) as "waitsFor"`;

/** More than any id's characters, so that a range finds what begins alike. */
const AFTER_ANY = "~";

/** The tasks of a mesh with this id or beginning of an id, at most three; one that is equal comes alone. */
export async function findTasks(
  executor: SqlExecutor,
  meshId: string,
  idOrPrefix: string,
): Promise<TaskRow[]> {
  const rows = await executor.query<TaskRow>(
    `select ${COLUMNS} from mesh.task where mesh_id = $1 and id >= $2 and id < $3
      order by id limit 3`,
    [meshId, idOrPrefix, idOrPrefix + AFTER_ANY],
  );
  const equal = rows.find((row) => row.id === idOrPrefix);
  return equal === undefined ? rows : [equal];
}

/** The tasks of a mesh with these ids, in the order of ids. */
export async function selectTasks(
  executor: SqlExecutor,
  meshId: string,
  ids: readonly string[],
): Promise<TaskRow[]> {
  if (ids.length === 0) return [];
  return await executor.query<TaskRow>(
    `select ${COLUMNS} from mesh.task where mesh_id = $1 and id = any($2::text[]) order by id`,
    [meshId, ids],
  );
}

/** What a list is narrowed to; null does not narrow. */
export interface TaskFilter {
  readonly status: TaskStatus | null;
  readonly memberId: string | null;
  readonly group: string | null;
  /** A name that no member has any more. */
  readonly name: string | null;
  readonly tag: string | null;
  /** Only what this member, in these groups (lower case, ancestors included), can claim. */
  readonly claimableBy: { readonly memberId: string; readonly groups: readonly string[] } | null;
}

/** Open tasks by importance and age, then closed ones, the last first. A lease that has run out counts as open. */
export async function listTasks(
  executor: SqlExecutor,
  meshId: string,
  filter: TaskFilter,
  page: { readonly nowMs: number; readonly limit: number; readonly offset: number },
): Promise<TaskRow[]> {
  const { claimableBy } = filter;
  return await executor.query<TaskRow>(
    `select ${COLUMNS} from mesh.task where mesh_id = $1
      and ($3::text is null or $3 = case when status = 'claimed' and lease_expires_at <= $2
        then 'open' else status end)
      and ($4::text is null or assignee_member_id = $4
        or (claimed_by_member_id = $4 and not (status = 'claimed' and lease_expires_at <= $2)))
      and ($5::text is null or assignee_group = $5)
      and ($6::text is null or lower(assignee) = $6 or lower(claimed_by_name) = $6)
      and ($7::text is null or $7 = any(tags))
      and ($8::text is null or (${claimable("$8", "$9", "$2")}))
      order by closed_at desc nulls first,
        array_position(array['urgent', 'high', 'normal', 'low'], priority), created_at, id
      limit $10 offset $11`,
    [
      meshId,
      new Date(page.nowMs),
      filter.status,
      filter.memberId,
      filter.group,
      filter.name,
      filter.tag,
      claimableBy?.memberId ?? null,
      claimableBy?.groups ?? [],
      page.limit,
      page.offset,
    ],
  );
}

/** The condition under which a member in some groups can claim a task. */
function claimable(member: string, groups: string, now: string): string {
  return `closed_at is null and (status = 'open' or lease_expires_at <= ${now})
    and ((assignee_member_id is null and assignee_group is null)
      or assignee_member_id = ${member} or assignee_group = any(${groups}::text[]))
    and not exists (select from mesh.task_dependency d join mesh.task t on t.id = d.depends_on
      where d.task_id = task.id and t.closed_at is null)`;
}

/** What only the view of one task shows. */
export interface TaskTexts {
  readonly description: string | null;
  readonly result: string | null;
  /** Ids of the tasks that depend on it. */
  readonly dependents: string[];
}

/** Description and result of a task, and who depends on it. */
export async function selectTaskTexts(
  executor: SqlExecutor,
  meshId: string,
  id: string,
): Promise<TaskTexts> {
  const rows = await executor.query<TaskTexts>(
    `select description, result, array(select d.task_id from mesh.task_dependency d
        where d.depends_on = task.id order by d.task_id) as dependents
      from mesh.task where mesh_id = $1 and id = $2`,
    [meshId, id],
  );
  return rows[0] ?? { description: null, result: null, dependents: [] };
}

/** How many tasks of a mesh are not closed. */
export async function countOpenTasks(executor: SqlExecutor, meshId: string): Promise<number> {
  const rows = await executor.query<{ count: number }>(
    "select count(*) as count from mesh.task where mesh_id = $1 and closed_at is null",
    [meshId],
  );
  return rows[0]?.count ?? 0;
}

/** How many tasks of a mesh are in each state; a lease that has run out counts as open. */
export async function countTasksByStatus(
  executor: SqlExecutor,
  meshId: string,
  nowMs: number,
): Promise<Record<TaskStatus, number>> {
  const rows = await executor.query<{ status: TaskStatus; count: number }>(
    `select case when status = 'claimed' and lease_expires_at <= $2 then 'open' else status end
        as status, count(*) as count
      from mesh.task where mesh_id = $1 group by 1`,
    [meshId, new Date(nowMs)],
  );
  const counts = Object.fromEntries(rows.map(({ status, count }) => [status, count]));
  return { open: 0, claimed: 0, completed: 0, cancelled: 0, ...counts };
}

/** A task as `insertTask` writes it. */
export interface NewTask {
  readonly id: string;
  readonly meshId: string;
  readonly title: string;
  readonly description: string | null;
  readonly priority: TaskPriority;
  readonly tags: readonly string[];
  readonly assignee: string | null;
  readonly assigneeMemberId: string | null;
  readonly assigneeGroup: string | null;
  readonly createdByMemberId: string;
  readonly createdByName: string;
  readonly createdAtMs: number;
  readonly dependsOn: readonly string[];
}

/** Writes a new open task and what it depends on. */
export async function insertTask(executor: SqlExecutor, task: NewTask): Promise<void> {
  await executor.query(
    `insert into mesh.task (id, mesh_id, title, description, priority, tags, assignee,
       assignee_member_id, assignee_group, created_by_member_id, created_by_name, created_at)
     values ($1, $2, $3, $4, $5, $6::text[], $7, $8, $9, $10, $11, $12)`,
    [
      task.id,
      task.meshId,
      task.title,
      task.description,
      task.priority,
      task.tags,
      task.assignee,
      task.assigneeMemberId,
      task.assigneeGroup,
      task.createdByMemberId,
      task.createdByName,
      new Date(task.createdAtMs),
    ],
  );
  if (task.dependsOn.length === 0) return;
  await executor.query(
    `insert into mesh.task_dependency (task_id, depends_on, mesh_id)
     select $1, w.id, $2 from unnest($3::text[]) as w (id)`,
    [task.id, task.meshId, task.dependsOn],
  );
}

/** Who does something to a task. */
export interface TaskActor {
  readonly memberId: string;
  readonly name: string;
  readonly sessionId: string;
  /** Lower case, ancestors included. */
  readonly groups: readonly string[];
}

/**
 * Claims a task, if it can be claimed.
 * @returns the member that held it until its lease ran out, null when nobody did; undefined when it cannot be claimed.
 */
export async function claimTask(
  executor: SqlExecutor,
  meshId: string,
  id: string,
  actor: TaskActor,
  { nowMs, leaseMs }: { readonly nowMs: number; readonly leaseMs: number },
): Promise<string | null | undefined> {
  const rows = await executor.query<{ holder: string | null }>(
    `with before as (
       select id as old_id, claimed_by_member_id as holder from mesh.task
        where mesh_id = $1 and id = $2 for update
     )
     update mesh.task set status = 'claimed', claimed_by_member_id = $3, claimed_by_name = $4,
       claimed_by_session = $5, claimed_at = $6, lease_expires_at = $7
     from before
     where mesh_id = $1 and id = before.old_id and (${claimable("$3", "$8", "$6")})
     returning before.holder`,
    [
      meshId,
      id,
      actor.memberId,
      actor.name,
      actor.sessionId,
      new Date(nowMs),
      new Date(nowMs + leaseMs),
      actor.groups,
    ],
  );
  return rows[0]?.holder;
}

/** Moves the end of a lease, if the member holds the task. Returns whether it does. */
export async function renewTask(
  executor: SqlExecutor,
  meshId: string,
  id: string,
  memberId: string,
  { nowMs, leaseMs }: { readonly nowMs: number; readonly leaseMs: number },
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.task set lease_expires_at = $5
      where mesh_id = $1 and id = $2 and ${HELD_BY} returning id`,
    [meshId, id, memberId, new Date(nowMs), new Date(nowMs + leaseMs)],
  );
  return rows.length === 1;
}

/** A member ($3) holds the task at a time ($4). */
const HELD_BY = "status = 'claimed' and claimed_by_member_id = $3 and lease_expires_at > $4";

/** Closes a task as completed, if the member holds it. Returns whether it does. */
export async function completeTask(
  executor: SqlExecutor,
  meshId: string,
  id: string,
  actor: TaskActor,
  { nowMs, result }: { readonly nowMs: number; readonly result: string | null },
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.task set status = 'completed', closed_at = $4, closed_by_member_id = $3,
       closed_by_name = $5, result = $6, lease_expires_at = null
      where mesh_id = $1 and id = $2 and ${HELD_BY} returning id`,
    [meshId, id, actor.memberId, new Date(nowMs), actor.name, result],
  );
  return rows.length === 1;
}

const UNCLAIM = `status = 'open', claimed_by_member_id = null, claimed_by_name = null,
  claimed_by_session = null, claimed_at = null, lease_expires_at = null`;

/** Makes a claimed task open again, if the member holds it or may do so to any. Returns whether it was done. */
export async function releaseTask(
  executor: SqlExecutor,
  meshId: string,
  id: string,
  memberId: string,
  { nowMs, anybodys }: { readonly nowMs: number; readonly anybodys: boolean },
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.task set ${UNCLAIM}
      where mesh_id = $1 and id = $2 and status = 'claimed' and lease_expires_at > $4
        and ($5 or claimed_by_member_id = $3) returning id`,
    [meshId, id, memberId, new Date(nowMs), anybodys],
  );
  return rows.length === 1;
}

/** Closes a task as cancelled, if the member made it or may do so to any. Returns whether it was done. */
export async function cancelTask(
  executor: SqlExecutor,
  meshId: string,
  id: string,
  actor: TaskActor,
  { nowMs, anybodys }: { readonly nowMs: number; readonly anybodys: boolean },
): Promise<boolean> {
  const rows = await executor.query(
    `update mesh.task set status = 'cancelled', closed_at = $4, closed_by_member_id = $3,
       closed_by_name = $5, lease_expires_at = null
      where mesh_id = $1 and id = $2 and closed_at is null
        and ($6 or created_by_member_id = $3) returning id`,
    [meshId, id, actor.memberId, new Date(nowMs), actor.name, anybodys],
  );
  return rows.length === 1;
}

/** The open tasks that waited for this one last and for nothing else any more. */
export async function unblockedTasks(
  executor: SqlExecutor,
  meshId: string,
  closedId: string,
): Promise<TaskRow[]> {
  return await executor.query<TaskRow>(
    `select ${COLUMNS} from mesh.task where mesh_id = $1 and closed_at is null
      and id in (select d.task_id from mesh.task_dependency d where d.depends_on = $2)
      and not exists (select from mesh.task_dependency d join mesh.task t on t.id = d.depends_on
        where d.task_id = task.id and t.closed_at is null)
      order by id`,
    [meshId, closedId],
  );
}
