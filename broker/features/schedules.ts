/**
 * Reminders at a time or by cron: set, listed and called off here, sent by `broker/jobs/schedule_runs.ts`.
 */
import {
  countSchedules,
  endSchedule,
  findSchedules,
  insertSchedule,
  listSchedules,
  type ScheduleRow,
} from "../../storage/sql/queries/schedules.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import {
  REMINDER,
  type ScheduleClock,
  type ScheduleEntry,
  type schedules as contract,
} from "../api/schedules.ts";
import { fittingRows } from "../core/answer_rows.ts";
import type { Call } from "../core/context.ts";
import { CronTimes, requireTimeZone } from "../core/cron_times.ts";
import type { Connection, Member } from "../core/model.ts";
import { resolveTarget } from "../core/targets.ts";

type Features = Handlers<typeof contract, Call>;
type ScheduleInput = Parameters<Features["schedule"]>[1];

/** Who asks for a time that has just passed means now. */
const PAST_MS = 60_000;
const SHOWN_RUNS = 3;

export const schedules: Features = {
  async schedule(call, input) {
    const { broker, connection: { mesh, member } } = call;
    const { deliverAt, nextRuns, timeZone } = timesOf(call, input);
    const recipient = recipientOf(call.connection, input.to);
    const id = broker.random.id();
    await broker.ledger.transact(mesh, async (tx) => {
      const limit = broker.settings.limits.schedules;
      if (await countSchedules(tx, mesh.id, member.id) >= limit) {
        throw new MeshError("limit", `you have ${limit} reminders; cancel some first`, {
          data: { limit },
        });
      }
      await insertSchedule(tx, {
        id,
        meshId: mesh.id,
        memberId: member.id,
        ...recipient,
        message: input.message,
        priority: input.priority,
        cron: input.cron ?? null,
        timeZone,
        clock: input.clock,
        misfire: input.misfire,
        createdAtMs: broker.clock.now(),
        nextRunAtMs: deliverAt,
      });
      const payload = { scheduledId: id, targetSpec: recipient.to, cron: input.cron ?? null };
      return { result: null, audits: [{ event: "reminder_scheduled", actor: member, payload }] };
    });
    broker.planChanged.wake();
    return {
      scheduledId: id,
      deliverAt,
      to: recipient.to,
      toName: recipient.toName,
      ...(input.cron === undefined ? {} : { cron: input.cron }),
      ...(timeZone === null ? {} : { timeZone }),
      nextRuns: nextRuns.map((atMs) => new Date(atMs).toISOString()),
    };
  },

  async listScheduled({ broker, connection: { mesh, member } }, { all, limit, offset }) {
    if (all && member.role === "member") {
      throw new MeshError("forbidden", "only owners and admins see everybody's reminders");
    }
    const page = { limit: limit + 1, offset };
    const rows = await listSchedules(broker.sql, mesh.id, all ? null : member.id, page);
    const messages = fittingRows(rows.slice(0, limit).map((row) => shown(row, member)));
    return { messages, more: messages.length < rows.length };
  },

  async cancelScheduled({ broker, connection: { mesh, member } }, { scheduledId: prefix }) {
    const owner = member.role === "member" ? member.id : null;
    const scheduledId = await broker.ledger.transact(mesh, async (tx) => {
      const found = await findSchedules(tx, mesh.id, owner, prefix);
      const [first, second] = found;
      if (first === undefined) {
        throw new MeshError("not_found", `no reminder has the id "${prefix}"; list them first`);
      }
      // One that is still to come is meant, not one that is over.
      if (second !== undefined && (first.endedAs === null) === (second.endedAs === null)) {
        throw new MeshError("ambiguous_prefix", `several ids begin with "${prefix}"; give more`, {
          data: { candidates: found.map(({ id }) => id) },
        });
      }
      if (first.endedAs !== null) {
        const how = first.endedAs === "cancelled" ? "been called off" : "fired";
        throw new MeshError("not_found", `the reminder "${first.id}" has already ${how}`);
      }
      const { text, params } = endSchedule(mesh.id, first.id, "cancelled", broker.clock.now());
      await tx.query(text, params);
      const payload = { scheduledId: first.id };
      const audits = [{ event: "reminder_cancelled", actor: member, payload }];
      return { result: first.id, audits };
    });
    return { scheduledId, ok: true };
  },
};

/** When it comes first, and the runs to show. @throws {MeshError} with what is wrong with the times. */
function timesOf(call: Call, input: ScheduleInput) {
  const nowMs = nowOf(call, input.clock);
  const { cron, inSeconds, deliverAt } = input;
  if (cron !== undefined) {
    const timeZone = input.timeZone ?? "UTC";
    const times = new CronTimes(cron, timeZone);
    const nextRuns: number[] = [];
    for (let atMs = times.next(nowMs); atMs !== null; atMs = times.next(atMs)) {
      if (nextRuns.push(atMs) === SHOWN_RUNS) break;
    }
    const [first] = nextRuns;
    if (first === undefined) {
      throw new MeshError("invalid_cron", `"${cron}" never comes: there is no such day`, {
        data: { field: "cron" },
      });
    }
    return { deliverAt: first, nextRuns, timeZone };
  }
  if (input.recurring === true) throw wrong("recurring", "what repeats needs cron");
  if (input.timeZone !== undefined) requireTimeZone(input.timeZone);
  const given = [inSeconds, deliverAt].filter((each) => each !== undefined);
  if (given.length !== 1) throw wrong("deliverAt", "give one of deliverAt, inSeconds and cron");
  const atMs = inSeconds === undefined ? deliverAt! : Math.round(nowMs + inSeconds * 1000);
  requireReachable(atMs, nowMs, call.broker.settings.limits.scheduleAheadMs);
  return { deliverAt: atMs, nextRuns: [atMs], timeZone: null };
}

function requireReachable(atMs: number, nowMs: number, aheadMs: number): void {
  if (atMs < nowMs - PAST_MS) {
    const when = new Date(atMs).toISOString();
    throw wrong("deliverAt", `${when} has passed; it is milliseconds since 1970`);
  }
  if (atMs <= nowMs + aheadMs) return;
  const years = Math.floor(aheadMs / 31_557_600_000);
  throw new MeshError("invalid_argument", `a reminder lies at most ${years} years ahead`, {
    data: { field: "deliverAt", limit: aheadMs },
  });
}

/** @throws {MeshError} `no_clock` where simulated time is asked for and there is none. */
function nowOf({ broker, connection: { mesh } }: Call, clock: ScheduleClock): number {
  if (clock === "real") return broker.clock.now();
  const nowMs = broker.simulationClocks.now(mesh);
  if (nowMs !== null) return Math.floor(nowMs);
  throw new MeshError(
    "no_clock",
    "this mesh has no simulation clock; an owner or admin sets its speed first",
  );
}

/**
 * Whom it goes to, in what stays the same: a member's or session's key instead of a name.
 * @throws {MeshError} `not_found`, `ambiguous_target`, `invalid_argument`.
 */
function recipientOf(
  connection: Connection,
  to: string | undefined,
): Pick<ScheduleRow, "to" | "toName" | "recipientId"> {
  const { member, session, mesh } = connection;
  if (to === undefined) {
    const own = session.pubkey ?? member.pubkey;
    return { to: own, toName: member.displayName, recipientId: member.id };
  }
  const { multicast, recipients } = resolveTarget(mesh, member, to);
  const [recipient] = recipients;
  if (multicast || recipient === undefined) return { to, toName: to, recipientId: null };
  const { id: recipientId, displayName: toName } = recipient;
  return { to: keyOf(recipient, to.toLowerCase()), toName, recipientId };
}

/** The key that `wanted`, in lower case, means: the member's, or that of a session by its name or key. */
function keyOf(member: Member, wanted: string): string {
  if (wanted === member.pubkey || wanted === member.displayName.toLowerCase()) return member.pubkey;
  for (const { pubkey, displayName } of member.sessions.values()) {
    if (pubkey !== null && (pubkey === wanted || displayName.toLowerCase() === wanted)) {
      return pubkey;
    }
  }
  return member.pubkey;
}

function shown(row: ScheduleRow, reader: Member): ScheduleEntry {
  const isOwn = row.memberId === reader.id;
  return {
    id: row.id,
    to: row.to,
    toName: row.toName,
    self: row.recipientId === row.memberId,
    message: isOwn ? row.message : "",
    deliverAt: row.nextRunAtMs,
    createdAt: row.createdAtMs,
    createdBy: reader.mesh.membersById.get(row.memberId)?.displayName ?? "",
    subtype: REMINDER,
    priority: row.priority,
    clock: row.clock,
    misfire: row.misfire,
    ...(row.cron === null || row.timeZone === null ? {} : {
      cron: row.cron,
      timeZone: row.timeZone,
      firedCount: row.firedCount,
    }),
    ...(row.missedCount === 0 ? {} : { missedCount: row.missedCount }),
  };
}

function wrong(field: string, message: string): MeshError {
  return new MeshError("invalid_argument", message, { data: { field } });
}
