/**
 * Work to be claimed: making, claiming, closing and listing tasks. Every change is one conditional statement; what stood
 * in its way is looked up only where it found nothing to change.
 */
import {
  cancelTask,
  claimTask,
  completeTask,
  countOpenTasks,
  findTasks,
  insertTask,
  listTasks,
  releaseTask,
  renewTask,
  selectTasks,
  selectTaskTexts,
  type TaskFilter,
  type TaskRow,
  unblockedTasks,
} from "../../storage/sql/queries/tasks.ts";
import type { SqlExecutor } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import { type Task, type tasks as contract, tasksEvents } from "../api/tasks.ts";
import type { Call } from "../core/context.ts";
import type { AuditEntry } from "../core/ledger.ts";
import type { Member, Mesh } from "../core/model.ts";
import { resolveTarget } from "../core/targets.ts";
import { tellTask } from "../core/tasks/task_news.ts";
import { claimRefusal, holderRefusal, requireNotClosed } from "../core/tasks/task_refusals.ts";
import { groupsOf, shownTask } from "../core/tasks/task_view.ts";

type Input<Name extends keyof typeof contract> = Parameters<
  Handlers<typeof contract, Call>[Name]
>[1];

/** A changed task, and those that need not wait for it any more. */
interface Changed {
  readonly before: TaskRow;
  readonly row: TaskRow;
  readonly unblocked: readonly TaskRow[];
}

export const tasks: Handlers<typeof contract, Call> = {
  async createTask(call, input) {
    const { broker, connection: { mesh, member, session } } = call;
    const assignee = input.assignee === undefined
      ? NOBODY
      : assigneeOf(mesh, member, input.assignee);
    const id = broker.random.id();
    const row = await broker.ledger.transact<TaskRow>(mesh, async (tx) => {
      const limit = broker.settings.limits.openTasks;
      if (await countOpenTasks(tx, mesh.id) >= limit) {
        throw new MeshError("limit", `this mesh has its ${limit} open tasks; close some first`, {
          data: { limit },
        });
      }
      const dependsOn = await dependenciesOf(tx, mesh, input.dependsOn);
      await insertTask(tx, {
        id,
        meshId: mesh.id,
        title: input.title,
        description: input.description ?? null,
        priority: input.priority,
        tags: [...new Set(input.tags)],
        ...assignee,
        createdByMemberId: member.id,
        createdByName: session.displayName,
        createdAtMs: broker.clock.now(),
        dependsOn,
      });
      const payload = { taskId: id, priority: input.priority, dependsOn };
      return {
        result: await theTask(tx, mesh, id),
        audits: [{ event: "task_created", actor: member, payload }],
      };
    });
    const everybody = assignee.assignee === null;
    tellTask(broker, mesh, tasksEvents.taskCreated, row, { by: session, everybody });
    return shownTask(row, broker.clock.now());
  },

  async claimTask(call, { taskId, leaseMs }) {
    const { broker, connection: { mesh, member, session } } = call;
    const actor = actorOf(call);
    const nowMs = broker.clock.now();
    let earlier: string | null = null;
    const { row } = await change(call, taskId, async (tx, before) => {
      const holder = await claimTask(tx, mesh.id, before.id, actor, { nowMs, leaseMs });
      if (holder === undefined) throw await claimRefusal(tx, mesh, before, actor, nowMs);
      earlier = holder;
      const payload = { taskId: before.id, leaseMs };
      return [{ event: "task_claimed", actor: member, payload }];
    });
    tellTask(broker, mesh, tasksEvents.taskClaimed, row, { by: session, also: [earlier] });
    return changed(row, nowMs);
  },

  async renewTask(call, { taskId, leaseMs }) {
    const { broker, connection: { mesh, member } } = call;
    const nowMs = broker.clock.now();
    const { row } = await change(call, taskId, async (tx, before) => {
      const done = await renewTask(tx, mesh.id, before.id, member.id, { nowMs, leaseMs });
      if (!done) throw holderRefusal(before, member, nowMs, "renewed");
      const payload = { taskId: before.id, leaseMs };
      return [{ event: "task_renewed", actor: member, payload }];
    });
    return changed(row, nowMs);
  },

  async completeTask(call, { taskId, result }) {
    const { broker, connection: { mesh, member, session } } = call;
    const nowMs = broker.clock.now();
    const outcome = await change(call, taskId, async (tx, before) => {
      const how = { nowMs, result: result ?? null };
      const done = await completeTask(tx, mesh.id, before.id, actorOf(call), how);
      if (!done) throw holderRefusal(before, member, nowMs, "completed");
      const payload = { taskId: before.id, resultChars: result?.length ?? 0 };
      return [{ event: "task_completed", actor: member, payload }];
    });
    tellTask(broker, mesh, tasksEvents.taskCompleted, outcome.row, { by: session });
    tellUnblocked(call, outcome, "completed");
    return changed(outcome.row, nowMs);
  },

  async releaseTask(call, { taskId, reason }) {
    const { broker, connection: { mesh, member, session } } = call;
    const nowMs = broker.clock.now();
    const { before, row } = await change(call, taskId, async (tx, before) => {
      const how = { nowMs, anybodys: member.role !== "member" };
      const done = await releaseTask(tx, mesh.id, before.id, member.id, how);
      if (!done) throw holderRefusal(before, member, nowMs, "released");
      const payload = { taskId: before.id, holder: before.claimedByMemberId };
      return [{ event: "task_released", actor: member, payload }];
    });
    const also = [before.claimedByMemberId];
    const told = { by: session, reason: reason ?? null, also };
    tellTask(broker, mesh, tasksEvents.taskReleased, row, told);
    return changed(row, nowMs);
  },

  async cancelTask(call, { taskId, reason }) {
    const { broker, connection: { mesh, member, session } } = call;
    const nowMs = broker.clock.now();
    const outcome = await change(call, taskId, async (tx, before) => {
      const how = { nowMs, anybodys: member.role !== "member" };
      if (!await cancelTask(tx, mesh.id, before.id, actorOf(call), how)) {
        requireNotClosed(before);
        throw new MeshError(
          "forbidden",
          `"${before.title}" was made by ${before.createdByName}, who may cancel it; so may owners and admins`,
        );
      }
      return [{ event: "task_cancelled", actor: member, payload: { taskId: before.id } }];
    });
    const told = { by: session, reason: reason ?? null };
    tellTask(broker, mesh, tasksEvents.taskCancelled, outcome.row, told);
    tellUnblocked(call, outcome, "cancelled");
    return changed(outcome.row, nowMs);
  },

  async getTask({ broker, connection: { mesh } }, { taskId }) {
    const row = await theTask(broker.sql, mesh, taskId);
    const texts = await selectTaskTexts(broker.sql, mesh.id, row.id);
    const task = shownTask(row, broker.clock.now());
    const isHeldOrDone = task.claimedBy !== null;
    return {
      ...task,
      ...texts,
      closedBy: row.closedByName,
      createdByKey: keyOf(mesh, row.createdByMemberId) ?? "",
      claimedByKey: isHeldOrDone ? keyOf(mesh, row.claimedByMemberId) : null,
      claimedBySession: isHeldOrDone ? row.claimedBySession : null,
    };
  },

  async listTasks({ broker, connection: { mesh, member } }, input) {
    const nowMs = broker.clock.now();
    const { limit, offset } = input;
    const page = { nowMs, limit: limit + 1, offset };
    const rows = await listTasks(broker.sql, mesh.id, filterOf(mesh, member, input), page);
    return {
      tasks: rows.slice(0, limit).map((row) => shownTask(row, nowMs)),
      more: rows.length > limit,
    };
  },
};

const NOBODY = { assignee: null, assigneeMemberId: null, assigneeGroup: null };

/** Whom a new task is for. @throws {MeshError} when that is nobody, several, or everybody. */
function assigneeOf(mesh: Mesh, member: Member, assignee: string) {
  const wanted = assignee.toLowerCase();
  if (wanted === "*" || wanted === "@all") {
    throw new MeshError("invalid_argument", "a task without an assignee is for everybody", {
      data: { field: "assignee" },
    });
  }
  const { recipients: [only] } = resolveTarget(mesh, member, assignee);
  if (wanted.startsWith("@")) {
    return { assignee: wanted, assigneeMemberId: null, assigneeGroup: wanted.slice(1) };
  }
  const isKey = /^[0-9a-f]{64}$/.test(wanted);
  const name = isKey ? only!.displayName : assignee;
  return { assignee: name, assigneeMemberId: only!.id, assigneeGroup: null };
}

/** The ids of the tasks that a new one waits for, each once. */
async function dependenciesOf(
  tx: SqlExecutor,
  mesh: Mesh,
  wanted: readonly string[],
): Promise<string[]> {
  const ids = new Set<string>();
  for (const each of wanted) {
    const row = await theTask(tx, mesh, each);
    ids.add(row.id);
  }
  return [...ids];
}

/** The one task that an id or the beginning of one names. */
async function theTask(executor: SqlExecutor, mesh: Mesh, idOrPrefix: string): Promise<TaskRow> {
  const [row, another] = await findTasks(executor, mesh.id, idOrPrefix);
  if (row === undefined) {
    throw new MeshError(
      "not_found",
      `this mesh has no task "${idOrPrefix}"; list_tasks shows them`,
    );
  }
  if (another === undefined) return row;
  throw new MeshError("ambiguous_prefix", `more than one task id begins with "${idOrPrefix}"`, {
    data: { candidates: [row.id, another.id] },
  });
}

function actorOf({ connection: { member, session } }: Call) {
  const { id: memberId } = member;
  const { displayName: name, id: sessionId } = session;
  return { memberId, name, sessionId, groups: groupsOf(member) };
}

/** Changes one task in a transaction; `run` returns what to audit, or throws what stood in the way. */
async function change(
  { broker, connection: { mesh } }: Call,
  idOrPrefix: string,
  run: (tx: SqlExecutor, before: TaskRow) => Promise<AuditEntry[]>,
): Promise<Changed> {
  return await broker.ledger.transact<Changed>(mesh, async (tx) => {
    const before = await theTask(tx, mesh, idOrPrefix);
    const audits = await run(tx, before);
    const [row = before] = await selectTasks(tx, mesh.id, [before.id]);
    const unblocked = row.closedAt === null ? [] : await unblockedTasks(tx, mesh.id, row.id);
    return { result: { before, row, unblocked }, audits };
  });
}

function changed(row: TaskRow, nowMs: number): { tasks: Task[] } {
  return { tasks: [shownTask(row, nowMs)] };
}

function tellUnblocked(
  { broker, connection: { mesh, session } }: Call,
  { row: closed, unblocked }: Changed,
  how: string,
): void {
  const reason = `${how} ${closed.id}`;
  for (const row of unblocked) {
    tellTask(broker, mesh, tasksEvents.taskUnblocked, row, { by: session, reason });
  }
}

function keyOf(mesh: Mesh, memberId: string | null): string | null {
  return mesh.membersById.get(memberId ?? "")?.pubkey ?? null;
}

function filterOf(mesh: Mesh, member: Member, input: Input<"listTasks">): TaskFilter {
  const { status, assignee, tag, claimable } = input;
  return {
    status: status === undefined ? null : status === "done" ? "completed" : status,
    ...whose(mesh, member, assignee),
    tag: tag ?? null,
    claimableBy: claimable ? { memberId: member.id, groups: groupsOf(member) } : null,
  };
}

/** Whose tasks a list is narrowed to; a name that nobody bears may be one of a former member. */
function whose(
  mesh: Mesh,
  member: Member,
  assignee: string | undefined,
): Pick<TaskFilter, "memberId" | "group" | "name"> {
  const anybody = { memberId: null, group: null, name: null };
  if (assignee === undefined || assignee === "*") return anybody;
  const wanted = assignee.toLowerCase();
  if (wanted.startsWith("@")) return { ...anybody, group: wanted.slice(1) };
  try {
    const { recipients: [only] } = resolveTarget(mesh, member, assignee);
    return { ...anybody, memberId: only?.id ?? "" };
  } catch (error) {
    if (error instanceof MeshError && error.code === "not_found") {
      return { ...anybody, name: wanted };
    }
    throw error;
  }
}
