/**
 * Why a task could not be changed, in words that say what to do next.
 */
import { selectTasks, type TaskActor, type TaskRow } from "../../../storage/sql/queries/tasks.ts";
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import { MeshError } from "../../api/errors.ts";
import type { Member, Mesh } from "../model.ts";
import { isHeld } from "./task_view.ts";

/** As many tasks that are waited for as an error names. */
const MAX_NAMED = 10;

/** Returns why `actor` could not claim the task. */
export async function claimRefusal(
  executor: SqlExecutor,
  mesh: Mesh,
  row: TaskRow,
  actor: TaskActor,
  nowMs: number,
): Promise<MeshError> {
  if (row.closedAt !== null) return closed(row);
  if (isHeld(row, nowMs)) return held(row, actor);
  if (!isFor(row, actor)) {
    return new MeshError("forbidden", `"${row.title}" is for ${row.assignee} alone`);
  }
  const waitsFor = await selectTasks(executor, mesh.id, row.waitsFor.slice(0, MAX_NAMED));
  const named = waitsFor.map(({ id, title }) => `${id} ("${title}")`);
  const more = row.waitsFor.length > named.length
    ? ` and ${row.waitsFor.length - named.length} more`
    : "";
  return new MeshError(
    "conflict",
    `"${row.title}" waits for ${named.join(", ")}${more}; it can be claimed when they are closed`,
    { data: { candidates: waitsFor.map(({ id }) => id) } },
  );
}

/** Returns why a member could not do what only the holder of a task may. */
export function holderRefusal(
  row: TaskRow,
  member: Member,
  nowMs: number,
  what: string,
): MeshError {
  if (row.closedAt !== null) return closed(row);
  if (isHeld(row, nowMs)) {
    const until = row.leaseExpiresAt!.toISOString();
    return new MeshError(
      "forbidden",
      `"${row.title}" is held by ${row.claimedByName} until ${until} and ${what} by its holder alone`,
    );
  }
  const lapsed = row.status === "claimed" && row.claimedByMemberId === member.id;
  return new MeshError(
    "conflict",
    lapsed
      ? `your lease of "${row.title}" ran out at ${
        row.leaseExpiresAt!.toISOString()
      }; claim it again`
      : `"${row.title}" is open: claim it before it can be ${what}`,
  );
}

/** @throws {MeshError} `conflict` when the task is completed or cancelled. */
export function requireNotClosed(row: TaskRow): void {
  if (row.closedAt !== null) throw closed(row);
}

function closed(row: TaskRow): MeshError {
  const at = row.closedAt!.toISOString();
  return new MeshError(
    "conflict",
    `"${row.title}" was ${row.status} by ${row.closedByName} at ${at}; make a new task instead`,
  );
}

function held(row: TaskRow, actor: TaskActor): MeshError {
  const until = row.leaseExpiresAt!.toISOString();
  const isOwn = row.claimedByMemberId === actor.memberId;
  const isHere = isOwn && row.claimedBySession === actor.sessionId;
  const holder = isHere ? "you" : `${row.claimedByName}${isOwn ? " in another session" : ""}`;
  const next = isHere ? "renew it to keep it longer" : "it is open again then unless renewed";
  return new MeshError("conflict", `"${row.title}" is held by ${holder} until ${until}; ${next}`);
}

function isFor(row: TaskRow, actor: TaskActor): boolean {
  if (row.assigneeMemberId === null && row.assigneeGroup === null) return true;
  return row.assigneeMemberId === actor.memberId || actor.groups.includes(row.assigneeGroup ?? "");
}
