/**
 * Tells those whom a task concerns what became of it: who made it, who may claim it, who holds or held it.
 */
import type { TaskRow } from "../../../storage/sql/queries/tasks.ts";
import type { EventSpec } from "../../api/event.ts";
import type { TaskNews, tasksEvents } from "../../api/tasks.ts";
import type { BrokerContext } from "../context.ts";
import type { Member, Mesh, Session } from "../model.ts";
import { isActive, isInGroup } from "../targets.ts";
import { shownTask } from "./task_view.ts";

type TaskEvent = (typeof tasksEvents)[keyof typeof tasksEvents];

export interface Told {
  /** The session that did it; null for the broker itself. */
  readonly by: Session | null;
  readonly reason?: string | null;
  /** Members that are concerned beside those that the task names, by id. */
  readonly also?: readonly (string | null)[];
  /** Everybody is concerned. */
  readonly everybody?: boolean;
}

/** Sends an event about a task. */
export function tellTask(
  broker: Pick<BrokerContext, "events" | "clock">,
  mesh: Mesh,
  spec: TaskEvent,
  row: TaskRow,
  { by, reason = null, also = [], everybody = false }: Told,
): void {
  const { id, title, status, priority, tags, assignee } = shownTask(row, broker.clock.now());
  const data: TaskNews = {
    taskId: id,
    title,
    status,
    priority,
    tags,
    assignee,
    by: by === null ? null : { name: by.displayName, pubkey: by.member.pubkey },
    updatedBySession: by?.id ?? null,
    reason,
  };
  const named = new Set([
    row.createdByMemberId,
    row.assigneeMemberId,
    row.claimedByMemberId,
    ...also,
  ]);
  const isConcerned = (member: Member) =>
    everybody || named.has(member.id) || mayClaimByGroup(row, member);
  broker.events.toMesh(
    mesh,
    spec as EventSpec<TaskEvent["data"]>,
    data,
    ({ member }) => isConcerned(member),
  );
}

function mayClaimByGroup({ assigneeGroup }: TaskRow, member: Member): boolean {
  if (assigneeGroup === null || !isActive(member)) return false;
  if (isInGroup(member.defaultGroups, assigneeGroup)) return true;
  return [...member.sessions.values()].some(({ groups }) => isInGroup(groups, assigneeGroup));
}
