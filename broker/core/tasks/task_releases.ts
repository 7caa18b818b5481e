/**
 * Gives back tasks whose holder has gone or whose lease has run out, and tells those concerned.
 */
import {
  meshesWithFreedTasks,
  type ReleasedTask,
  releaseFreedTasks,
  releaseTasksOf,
  unassignTasksOf,
} from "../../../storage/sql/queries/task_releases.ts";
import { selectTasks, type TaskRow } from "../../../storage/sql/queries/tasks.ts";
import { tasksEvents } from "../../api/tasks.ts";
import type { BrokerContext } from "../context.ts";
import type { AuditEntry } from "../ledger.ts";
import type { Member, Mesh } from "../model.ts";
import { tellTask } from "./task_news.ts";

type Broker = Pick<
  BrokerContext,
  "sql" | "ledger" | "meshes" | "events" | "clock" | "settings"
>;

interface Freed {
  readonly released: readonly ReleasedTask[];
  readonly unassigned: readonly string[];
  readonly rows: readonly TaskRow[];
}

/**
 * Makes tasks open again that nobody holds any more, in every mesh.
 * @returns how many.
 * @throws {MeshError | SqlError} when the store failed; the next run does the rest.
 */
export async function releaseLapsedTasks(broker: Broker): Promise<number> {
  let count = 0;
  for (const meshId of await meshesWithFreedTasks(broker.sql, broker.clock.now())) {
    const mesh = await broker.meshes.find(meshId);
    if (mesh === null) continue;
    const freed = await broker.ledger.transact<Freed>(mesh, async (tx) => {
      const released = await releaseFreedTasks(tx, mesh.id, broker.clock.now());
      const rows = await selectTasks(tx, mesh.id, released.map(({ id }) => id));
      return { result: { released, unassigned: [], rows }, audits: auditsOf(released) };
    });
    tellFreed(broker, mesh, freed);
    count += freed.released.length;
  }
  return count;
}

/**
 * Makes what these members hold open again; what only they could claim is for anybody when they are gone for good. Does
 * not fail: what the store does not take now, the sweep and the leases' ends make good.
 */
export async function releaseTasksOfGone(
  broker: Broker & Pick<BrokerContext, "log">,
  mesh: Mesh,
  members: readonly Member[],
  how: { readonly forGood: boolean },
): Promise<void> {
  try {
    await release(broker, mesh, members, how);
  } catch (error) {
    broker.log.warn("tasks of a member that is gone are not free yet", { error: String(error) });
  }
}

async function release(
  broker: Broker,
  mesh: Mesh,
  members: readonly Member[],
  { forGood }: { readonly forGood: boolean },
): Promise<void> {
  const ids = members.map(({ id }) => id);
  const freed = await broker.ledger.transact<Freed>(mesh, async (tx) => {
    const released = await releaseTasksOf(tx, mesh.id, ids);
    const unassigned = forGood ? await unassignTasksOf(tx, mesh.id, ids) : [];
    const all = new Set([...released.map(({ id }) => id), ...unassigned]);
    const rows = await selectTasks(tx, mesh.id, [...all]);
    return { result: { released, unassigned, rows }, audits: auditsOf(released, unassigned) };
  });
  tellFreed(broker, mesh, freed);
}

function auditsOf(
  released: readonly ReleasedTask[],
  unassigned: readonly string[] = [],
): AuditEntry[] {
  const releases = released.map(({ id, holder, why }) => ({
    event: "task_released",
    actor: null,
    payload: { taskId: id, holder, reason: why },
  }));
  const rest = unassigned.map((id) => ({
    event: "task_unassigned",
    actor: null,
    payload: { taskId: id, reason: "assignee_left" },
  }));
  return [...releases, ...rest];
}

function tellFreed(broker: Broker, mesh: Mesh, { released, unassigned, rows }: Freed): void {
  for (const row of rows) {
    const release = released.find(({ id }) => id === row.id);
    const reason = release?.why ?? "assignee_left";
    // A task that was for one member only is news to all who can claim it now.
    const everybody = unassigned.includes(row.id);
    const also = [release?.holder ?? null];
    tellTask(broker, mesh, tasksEvents.taskReleased, row, { by: null, reason, also, everybody });
  }
}
