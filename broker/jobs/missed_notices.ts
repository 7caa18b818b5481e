/**
 * What creators are told of runs that did not happen at their time. It is kept with the schedule until the creator's
 * agent is there to hear it: after a broker was down nobody is, at first.
 */
import {
  clearNotice,
  meshesWithNotices,
  type ScheduleRow,
  selectNotices,
} from "../../storage/sql/queries/schedules.ts";
import { type ReminderMissed, schedulesEvents } from "../api/schedules.ts";
import type { BrokerContext } from "../core/context.ts";
import type { Member, Mesh } from "../core/model.ts";

const PREVIEW_CHARS = 120;
const PAGE = 100;

/** What happened to runs of a schedule. */
export interface Missed {
  readonly reason: ReminderMissed["reason"];
  readonly missed: number;
  readonly ran: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Returns the notice of what was missed. */
export function noticeOf(row: ScheduleRow, what: Missed): ReminderMissed {
  return {
    scheduledId: row.id,
    message: [...row.message].slice(0, PREVIEW_CHARS).join(""),
    toName: row.toName,
    reason: what.reason,
    missed: what.missed,
    ran: what.ran,
    firstMissedAt: new Date(what.firstMs).toISOString(),
    lastMissedAt: new Date(what.lastMs).toISOString(),
    misfire: row.misfire,
    ...(row.cron === null ? {} : { cron: row.cron }),
  };
}

/** Joins what was not told yet with what came now. */
export function mergedNotice(untold: ReminderMissed | null, notice: ReminderMissed) {
  if (untold === null) return notice;
  return {
    ...notice,
    missed: untold.missed + notice.missed,
    ran: untold.ran + notice.ran,
    firstMissedAt: untold.firstMissedAt,
  };
}

/**
 * Tells creators that are here what they have not been told.
 * @throws {MeshError | SqlError} when the store failed; what was told is told again then.
 */
export async function tellMissed(
  broker: Pick<BrokerContext, "sql" | "ledger" | "events" | "meshes">,
): Promise<void> {
  for (const meshId of await meshesWithNotices(broker.sql)) {
    const mesh = broker.meshes.loaded(meshId);
    if (mesh === undefined) continue;
    const hearing = hearingMembers(mesh);
    if (hearing.size === 0) continue;
    const notices = await selectNotices(broker.sql, meshId, [...hearing.keys()], PAGE);
    const told = notices.filter(({ memberId, notice }) => {
      const member = hearing.get(memberId)!;
      return broker.events.toMember(member, schedulesEvents.reminderMissed, notice) > 0;
    });
    if (told.length === 0) continue;
    const statements = told.map(({ id, notice }) => clearNotice(meshId, id, notice));
    await broker.ledger.append({ mesh, statements, audits: [] });
  }
}

/** Members that hear events now: those whose agent is connected, and those that are here without one. */
function hearingMembers(mesh: Mesh): Map<string, Member> {
  const hearing = new Map<string, Member>();
  for (const { member, session } of mesh.connections) {
    if (session.peerRole === "control-plane" || !hasAgent(member)) hearing.set(member.id, member);
  }
  return hearing;
}

/** An agent that has lost its connection for a moment comes back, and hears it then. */
function hasAgent(member: Member): boolean {
  return [...member.sessions.values()].some((session) =>
    session.peerRole === "control-plane" && session.presence !== "remembered"
  );
}
