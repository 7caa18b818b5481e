/**
 * Scheduled messages: set, listed and ended by members; leased, moved on and forgotten by brokers. Times are in
 * milliseconds by the row's own clock, but `atMs`, `nowMs` and leases, which are real time.
 */
import type { Priority } from "../../../broker/api/fields.ts";
import type { Misfire, ReminderMissed, ScheduleClock } from "../../../broker/api/schedules.ts";
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** A schedule that is not over. */
export interface ScheduleRow {
  readonly id: string;
  readonly meshId: string;
  /** Who set it. */
  readonly memberId: string;
  /** What frames carry as their target. */
  readonly to: string;
  readonly toName: string;
  /** The member a direct one goes to, null for groups and everyone. */
  readonly recipientId: string | null;
  readonly message: string;
  readonly priority: Priority;
  /** Null for one that runs once; its time zone too then. */
  readonly cron: string | null;
  readonly timeZone: string | null;
  readonly clock: ScheduleClock;
  readonly misfire: Misfire;
  readonly createdAtMs: number;
  readonly nextRunAtMs: number;
  readonly firedCount: number;
  readonly missedCount: number;
  /** What its creator has not been told yet. */
  readonly notice: ReminderMissed | null;
}

/** Why a schedule is over. */
export type EndedAs =
  | "fired"
  | "missed"
  | "cancelled"
  | "creator_gone"
  | "recipient_gone"
  | "refused"
  | "never_again";

type StoredRow = Omit<ScheduleRow, "createdAtMs" | "nextRunAtMs"> & {
  readonly createdAt: Date;
  readonly nextRunAt: Date;
};

const COLUMNS = `s.id, s.mesh_id as "meshId", s.member_id as "memberId", s."to",
  s.to_name as "toName", s.recipient_id as "recipientId", s.message, s.priority, s.cron,
  s.time_zone as "timeZone", s.clock, s.misfire, s.created_at as "createdAt",
  s.next_run_at as "nextRunAt", s.fired_count as "firedCount", s.missed_count as "missedCount",
  s.notice`;

function rowOf({ createdAt, nextRunAt, ...row }: StoredRow): ScheduleRow {
  return { ...row, createdAtMs: createdAt.getTime(), nextRunAtMs: nextRunAt.getTime() };
}

/** Writes a new schedule. */
export async function insertSchedule(
  executor: SqlExecutor,
  row: Omit<ScheduleRow, "firedCount" | "missedCount" | "notice">,
): Promise<void> {
  await executor.query(
    `insert into mesh.scheduled_message (id, mesh_id, member_id, "to", to_name, recipient_id,
       message, priority, cron, time_zone, clock, misfire, created_at, next_run_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      row.id,
      row.meshId,
      row.memberId,
      row.to,
      row.toName,
      row.recipientId,
      row.message,
      row.priority,
      row.cron,
      row.timeZone,
      row.clock,
      row.misfire,
      new Date(row.createdAtMs),
      new Date(row.nextRunAtMs),
    ],
  );
}

/** How many schedules of a member are not over. */
export async function countSchedules(
  executor: SqlExecutor,
  meshId: string,
  memberId: string,
): Promise<number> {
  const [row] = await executor.query<{ count: number }>(
    `select count(*)::int4 as count from mesh.scheduled_message
      where mesh_id = $1 and member_id = $2 and next_run_at is not null`,
    [meshId, memberId],
  );
  return row?.count ?? 0;
}

/** The schedules of a member that are not over, or of all with `memberId` null; the next first. */
export async function listSchedules(
  executor: SqlExecutor,
  meshId: string,
  memberId: string | null,
  page: { readonly limit: number; readonly offset: number },
): Promise<ScheduleRow[]> {
  const rows = await executor.query<StoredRow>(
    `select ${COLUMNS} from mesh.scheduled_message s
      where s.mesh_id = $1 and ($2::text is null or s.member_id = $2) and s.next_run_at is not null
      order by s.next_run_at, s.id limit $3 offset $4`,
    [meshId, memberId, page.limit, page.offset],
  );
  return rows.map(rowOf);
}

/** Schedules, over or not, whose id begins with `prefix`; at most two. `memberId` null: anybody's. */
export async function findSchedules(
  executor: SqlExecutor,
  meshId: string,
  memberId: string | null,
  prefix: string,
): Promise<{ id: string; endedAs: EndedAs | null }[]> {
  return await executor.query(
    `select id, ended_as as "endedAs" from mesh.scheduled_message
      where mesh_id = $1 and ($2::text is null or member_id = $2) and starts_with(id, $3)
      order by next_run_at is null, id limit 2`,
    [meshId, memberId, prefix],
  );
}

/** Ends one schedule that is not over. */
export function endSchedule(
  meshId: string,
  id: string,
  endedAs: EndedAs,
  atMs: number,
): SqlStatement {
  return {
    text: `update mesh.scheduled_message set next_run_at = null, ended_at = $4, ended_as = $3,
        lease_owner = null, lease_until = null
      where mesh_id = $1 and id = $2 and next_run_at is not null`,
    params: [meshId, id, endedAs, new Date(atMs)],
  };
}

/** Ends all schedules of a member that leaves or is banned. */
export function endSchedulesOf(meshId: string, memberId: string, atMs: number): SqlStatement {
  return {
    text: `update mesh.scheduled_message set next_run_at = null, ended_at = $3,
        ended_as = 'creator_gone', lease_owner = null, lease_until = null
      where mesh_id = $1 and member_id = $2 and next_run_at is not null`,
    params: [meshId, memberId, new Date(atMs)],
  };
}

/** Who leases, and until when; both times are real. */
export interface Lease {
  readonly owner: string;
  readonly nowMs: number;
  readonly untilMs: number;
  readonly limit: number;
}

// A lease that ends later than one made now was made before the clock was set back: it is void.
function free(now: string, until: string): string {
  return `(s.lease_until is null or s.lease_until <= ${now} or s.lease_until > ${until})`;
}

/** Leases schedules of any mesh that are due in real time and that nobody has leased, the earliest first. */
export async function leaseDue(executor: SqlExecutor, lease: Lease): Promise<ScheduleRow[]> {
  const rows = await executor.query<StoredRow>(
    `update mesh.scheduled_message s set lease_owner = $1, lease_until = $3
      where s.id in (
        select s.id from mesh.scheduled_message s
        where s.clock = 'real' and s.next_run_at <= $2 and ${free("$2", "$3")}
        order by s.next_run_at limit $4 for update skip locked)
      returning ${COLUMNS}`,
    [lease.owner, new Date(lease.nowMs), new Date(lease.untilMs), lease.limit],
  );
  return rows.map(rowOf);
}

/** A mesh whose simulated time runs, and what it is. */
export interface SimulatedNow {
  readonly meshId: string;
  readonly simNowMs: number;
}

/** Leases schedules that are due in the simulated times of `clocks`. */
export async function leaseDueSimulated(
  executor: SqlExecutor,
  lease: Lease,
  clocks: readonly SimulatedNow[],
): Promise<ScheduleRow[]> {
  const rows = await executor.query<StoredRow>(
    `update mesh.scheduled_message s set lease_owner = $1, lease_until = $3
      where s.id in (
        select s.id from mesh.scheduled_message s
        join unnest($5::text[], $6::int8[]) as c (mesh_id, now_ms) on c.mesh_id = s.mesh_id
        where s.clock = 'simulation' and ${free("$2", "$3")}
          and s.next_run_at <= 'epoch'::timestamptz + c.now_ms * interval '1 millisecond'
        order by s.next_run_at limit $4 for update of s skip locked)
      returning ${COLUMNS}`,
    [
      lease.owner,
      new Date(lease.nowMs),
      new Date(lease.untilMs),
      lease.limit,
      clocks.map((clock) => clock.meshId),
      clocks.map((clock) => Math.floor(clock.simNowMs)),
    ],
  );
  return rows.map(rowOf);
}

/** What a run, or the decision not to run, changes of a leased schedule. */
export interface ScheduleMove {
  readonly meshId: string;
  readonly id: string;
  readonly owner: string;
  readonly fromMs: number;
  /** The next run, null when it is over. */
  readonly toMs: number | null;
  readonly endedAs: EndedAs | null;
  readonly fired: 0 | 1;
  readonly missed: number;
  readonly notice: ReminderMissed | null;
  readonly atMs: number;
  /** More runs of the same lease follow. */
  readonly keepsLease: boolean;
}

/** How PostgreSQL says that a guarded statement found nothing to change. */
export const MOVED_ALREADY = "22012";

/**
 * Moves a leased schedule on. It fails with `MOVED_ALREADY` (a division by zero), and what is committed with it fails
 * too, when the schedule was cancelled meanwhile, has been moved, or is leased by another broker.
 */
export function moveSchedule(move: ScheduleMove): SqlStatement {
  return {
    text: `with moved as (
      update mesh.scheduled_message set next_run_at = $5,
        ended_at = case when $5::timestamptz is null then $6::timestamptz end, ended_as = $7,
        fired_count = fired_count + $8::int4, missed_count = missed_count + $9::int4,
        fired_at = case when $8::int4 > 0 then $6::timestamptz else fired_at end,
        notice = coalesce($10::jsonb, notice),
        lease_owner = case when $11::bool then lease_owner end,
        lease_until = case when $11::bool then lease_until end
      where mesh_id = $1 and id = $2 and lease_owner = $3 and next_run_at = $4
      returning 1)
    select 1 / count(*) as moved from moved`,
    params: [
      move.meshId,
      move.id,
      move.owner,
      new Date(move.fromMs),
      move.toMs === null ? null : new Date(move.toMs),
      new Date(move.atMs),
      move.endedAs,
      move.fired,
      move.missed,
      move.notice === null ? null : JSON.stringify(move.notice),
      move.keepsLease,
    ],
  };
}

/** When the next schedule of any mesh is due in real time, and its lease over; null for none. */
export async function nextDueMs(
  executor: SqlExecutor,
  { untilMs }: Pick<Lease, "untilMs">,
): Promise<number | null> {
  const [row] = await executor.query<{ next: Date | null }>(
    `select min(greatest(next_run_at, case when lease_until <= $1 then lease_until end)) as next
      from mesh.scheduled_message where clock = 'real' and next_run_at is not null`,
    [new Date(untilMs)],
  );
  return row?.next?.getTime() ?? null;
}

/** When the next schedule of each of these meshes is due in its simulated time; meshes without one are left out. */
export async function nextSimulatedDue(
  executor: SqlExecutor,
  meshIds: readonly string[],
  { nowMs, untilMs }: Pick<Lease, "nowMs" | "untilMs">,
): Promise<{ meshId: string; atMs: number }[]> {
  const rows = await executor.query<{ meshId: string; next: Date }>(
    `select s.mesh_id as "meshId", min(s.next_run_at) as next from mesh.scheduled_message s
      where s.mesh_id = any ($1::text[]) and s.clock = 'simulation' and s.next_run_at is not null
        and ${free("$2", "$3")}
      group by s.mesh_id`,
    [meshIds, new Date(nowMs), new Date(untilMs)],
  );
  return rows.map(({ meshId, next }) => ({ meshId, atMs: next.getTime() }));
}

/** Meshes in which somebody has not been told of missed runs. */
export async function meshesWithNotices(executor: SqlExecutor): Promise<string[]> {
  const rows = await executor.query<{ meshId: string }>(
    `select distinct mesh_id as "meshId" from mesh.scheduled_message where notice is not null`,
  );
  return rows.map((row) => row.meshId);
}

/** What these members have not been told of missed runs. */
export async function selectNotices(
  executor: SqlExecutor,
  meshId: string,
  memberIds: readonly string[],
  limit: number,
): Promise<{ id: string; memberId: string; notice: ReminderMissed }[]> {
  return await executor.query(
    `select id, member_id as "memberId", notice from mesh.scheduled_message
      where mesh_id = $1 and member_id = any ($2::text[]) and notice is not null
      order by id limit $3`,
    [meshId, memberIds, limit],
  );
}

/** Forgets a notice that was told, unless there is a newer one by now. */
export function clearNotice(meshId: string, id: string, told: ReminderMissed): SqlStatement {
  return {
    text: `update mesh.scheduled_message set notice = null
      where mesh_id = $1 and id = $2 and notice = $3::jsonb`,
    params: [meshId, id, JSON.stringify(told)],
  };
}

/** Forgets schedules of any mesh that were over before `beforeMs`. */
export function deleteEndedSchedules(beforeMs: number): SqlStatement {
  return {
    text: "delete from mesh.scheduled_message where ended_at < $1",
    params: [new Date(beforeMs)],
  };
}
