/**
 * A task as it is at a moment: a lease that has run out counts as none, before the sweep has written that down.
 */
import type { TaskRow } from "../../../storage/sql/queries/tasks.ts";
import { groupAndAncestors } from "../../api/fields.ts";
import type { Task } from "../../api/tasks.ts";
import type { Member } from "../model.ts";

/** Returns whether somebody holds the task at `nowMs`. */
export function isHeld(row: Pick<TaskRow, "status" | "leaseExpiresAt">, nowMs: number): boolean {
  return row.status === "claimed" && (row.leaseExpiresAt?.getTime() ?? 0) > nowMs;
}

/** Returns the task as peers see it. */
export function shownTask(row: TaskRow, nowMs: number): Task {
  const lapsed = row.status === "claimed" && !isHeld(row, nowMs);
  const closedAt = row.closedAt?.toISOString() ?? null;
  return {
    id: row.id,
    title: row.title,
    status: lapsed ? "open" : row.status,
    priority: row.priority,
    tags: [...row.tags],
    assignee: row.assignee,
    createdBy: row.createdByName,
    createdAt: row.createdAt.toISOString(),
    claimedBy: lapsed ? null : row.claimedByName,
    claimedAt: lapsed ? null : row.claimedAt?.toISOString() ?? null,
    leaseExpiresAt: lapsed ? null : row.leaseExpiresAt?.toISOString() ?? null,
    dependsOn: [...row.dependsOn],
    waitsFor: [...row.waitsFor],
    completedAt: row.status === "completed" ? closedAt : null,
    cancelledAt: row.status === "cancelled" ? closedAt : null,
    hasDescription: row.hasDescription,
    hasResult: row.hasResult,
  };
}

/** The groups of a member, by its defaults and its sessions, with their ancestors, in lower case. */
export function groupsOf(member: Member): string[] {
  const groups = new Set<string>();
  for (const { name } of member.defaultGroups) addAll(groups, groupAndAncestors(name));
  for (const session of member.sessions.values()) {
    for (const { name } of session.groups) addAll(groups, groupAndAncestors(name));
  }
  return [...groups];
}

function addAll(groups: Set<string>, names: readonly string[]): void {
  for (const name of names) groups.add(name);
}
