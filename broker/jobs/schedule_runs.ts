/**
 * Makes the runs of schedules that are due. A row is leased first, so that several brokers do not all try; a run's
 * message and the move of its schedule are one commit that fails when somebody else has moved it. So each occurrence is
 * exactly one message, whatever dies in between.
 */
import {
  deleteEndedSchedules,
  type EndedAs,
  endSchedule,
  type Lease,
  leaseDue,
  leaseDueSimulated,
  MOVED_ALREADY,
  moveSchedule,
  nextDueMs,
  nextSimulatedDue,
  type ScheduleMove,
  type ScheduleRow,
} from "../../storage/sql/queries/schedules.ts";
import { SqlError } from "../../storage/sql/port.ts";
import { ERRORS, MeshError } from "../api/errors.ts";
import type { ReminderMissed } from "../api/schedules.ts";
import type { BrokerContext } from "../core/context.ts";
import type { Member } from "../core/model.ts";
import { isActive } from "../core/targets.ts";
import { mergedNotice, noticeOf } from "./missed_notices.ts";
import { planRuns, type Run, type RunPlan, runText } from "./run_plan.ts";

/** So many are run at once. */
const BATCH = 64;
/** A run takes milliseconds; one that failed is tried again after this, before it counts as late. */
const LEASE_MS = 30_000;

/** A schedule whose creator and recipient are still there. */
interface Running {
  readonly row: ScheduleRow;
  readonly creator: Member;
  /** Null for groups and everyone. */
  readonly recipient: Member | null;
}

export class ScheduleRuns {
  readonly #broker: BrokerContext;
  readonly #owner: string;

  /** @param owner names this broker among those that share the store. */
  constructor(broker: BrokerContext, owner: string) {
    this.#broker = broker;
    this.#owner = owner;
  }

  /**
   * Leases and runs what is due; returns whether there may be more.
   * @throws {MeshError} when the store failed; a schedule that fails by itself is logged and tried again.
   */
  async runDue(): Promise<boolean> {
    const rows = await this.#lease();
    const outcomes = await Promise.allSettled(rows.map((row) => this.#run(row)));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue;
      const { id, meshId } = rows[index]!;
      const error = String(outcome.reason);
      this.#broker.log.warn("a schedule did not run", { schedule: id, mesh: meshId, error });
    }
    return rows.length >= BATCH;
  }

  /** Real milliseconds until the next schedule is due; null when none is set. */
  async untilNext(): Promise<number | null> {
    const { sql, clock, simulationClocks } = this.#broker;
    const nowMs = clock.now();
    const free = { nowMs, untilMs: nowMs + LEASE_MS };
    const dueMs = await nextDueMs(sql, free);
    const delays = dueMs === null ? [] : [dueMs - nowMs];
    const running = new Map([...simulationClocks.running()].map((each) => [each.mesh.id, each]));
    if (running.size > 0) {
      for (const { meshId, atMs } of await nextSimulatedDue(sql, [...running.keys()], free)) {
        const { simNowMs, speed } = running.get(meshId)!;
        delays.push(Math.ceil((atMs - simNowMs) / speed));
      }
    }
    return delays.length === 0 ? null : Math.max(0, Math.min(...delays));
  }

  async #lease(): Promise<ScheduleRow[]> {
    // Most looks find nothing: those write nothing.
    const nextMs = await this.untilNext();
    if (nextMs === null || nextMs > 0) return [];
    const { clock, ledger, simulationClocks } = this.#broker;
    const nowMs = clock.now();
    const lease: Lease = { owner: this.#owner, nowMs, untilMs: nowMs + LEASE_MS, limit: BATCH };
    const simulated = [...simulationClocks.running()]
      .map(({ mesh, simNowMs }) => ({ meshId: mesh.id, simNowMs }));
    return await ledger.transact(null, async (tx) => {
      const rows = await leaseDue(tx, lease);
      const limit = BATCH - rows.length;
      const others = simulated.length === 0 || limit === 0
        ? []
        : await leaseDueSimulated(tx, { ...lease, limit }, simulated);
      return { result: [...rows, ...others], audits: [] };
    });
  }

  async #run(row: ScheduleRow): Promise<void> {
    const { meshes, simulationClocks, clock, settings: { limits } } = this.#broker;
    const mesh = await meshes.find(row.meshId);
    const creator = mesh?.membersById.get(row.memberId);
    if (mesh === null || creator === undefined || !isActive(creator)) {
      return await this.#endOfCreator(row);
    }
    const recipient = row.recipientId === null
      ? null
      : mesh.membersById.get(row.recipientId) ?? null;
    const running = { row, creator, recipient };
    if (row.recipientId !== null && (recipient === null || !isActive(recipient))) {
      return await this.#giveUp(running, "recipient_gone", "recipient_gone");
    }
    const isReal = row.clock === "real";
    const nowMs = isReal ? clock.now() : simulationClocks.now(mesh);
    if (nowMs === null) throw new Error("a schedule follows a clock that its mesh has not");
    const speed = isReal ? 1 : simulationClocks.status(mesh)?.speed ?? 1;
    const graceMs = limits.scheduleGraceMs * speed;
    let plan: RunPlan;
    try {
      plan = planRuns(row, nowMs, { graceMs, runAllMost: limits.scheduleRunAll });
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      return await this.#giveUp(running, "refused", "refused");
    }
    await this.#perform(running, plan);
  }

  async #perform(running: Running, plan: RunPlan): Promise<void> {
    const { row } = running;
    const notice = plan.missed === 0 ? null : mergedNotice(
      row.notice,
      noticeOf(row, {
        reason: "late",
        missed: plan.missed,
        ran: plan.madeUp,
        firstMs: plan.firstMissedMs,
        lastMs: plan.lastMissedMs,
      }),
    );
    let fromMs = row.nextRunAtMs;
    for (const [index, run] of plan.runs.entries()) {
      const following = plan.runs[index + 1];
      const toMs = following?.atMs ?? plan.nextMs;
      const first = index === 0;
      const sent = await this.#send(running, run, {
        ...this.#move(row, fromMs),
        toMs,
        endedAs: toMs === null ? (row.cron === null ? "fired" : "never_again") : null,
        fired: 1,
        missed: first ? plan.missed : 0,
        notice: first ? notice : null,
        keepsLease: following !== undefined,
      });
      if (!sent) return;
      fromMs = toMs ?? fromMs;
    }
    if (plan.runs.length > 0) return;
    const endedAs = plan.nextMs === null ? "missed" : null;
    const { missed, nextMs: toMs } = plan;
    await this.#moveOn(running, { ...this.#move(row, fromMs), toMs, endedAs, missed, notice });
  }

  /** Sends one run; returns false when the schedule is somebody else's or nobody's by now. */
  async #send({ row, creator, recipient }: Running, run: Run, move: ScheduleMove) {
    const { delivery, rates, settings: { limits } } = this.#broker;
    try {
      if (row.clock === "simulation") {
        // At speed 100 a schedule may run 100 times a minute: that counts as sending does.
        const rate = { perMinute: limits.sendsPerMinute, burst: limits.sendBurst };
        rates.require(`send ${creator.id}`, rate, "sends");
      }
      const outcome = await delivery.remind({
        sender: creator,
        target: row.to,
        recipient,
        priority: row.priority,
        text: runText(row.message, run),
        clientMessageId: `schedule:${row.id}:${run.atMs}`,
        statements: [moveSchedule(move)],
      });
      if (outcome === "repeated") await this.#moveOn({ row, creator, recipient }, move);
      return true;
    } catch (error) {
      if (isMovedAlready(error)) return false;
      if (!(error instanceof MeshError) || error.code === "internal") throw error;
      if (ERRORS[error.code].retry) throw error;
      const nobody = error.code === "not_found";
      const missed = { reason: nobody ? "nobody_there" as const : "refused" as const };
      const endedAs = move.toMs === null ? "missed" : nobody ? null : "refused";
      const times = { missed: 1, ran: 0, firstMs: run.atMs, lastMs: run.atMs };
      const notice = mergedNotice(
        move.notice ?? row.notice,
        noticeOf(row, { ...missed, ...times }),
      );
      const toMs = endedAs === null ? move.toMs : null;
      await this.#moveOn({ row, creator, recipient }, {
        ...move,
        toMs,
        endedAs,
        fired: 0,
        missed: Math.max(1, move.missed),
        notice,
      });
      return toMs !== null;
    }
  }

  /** Ends a schedule that cannot run any more, and keeps a word for its creator. */
  async #giveUp(running: Running, endedAs: EndedAs, reason: ReminderMissed["reason"]) {
    const { row } = running;
    const times = { missed: 1, ran: 0, firstMs: row.nextRunAtMs, lastMs: row.nextRunAtMs };
    const notice = mergedNotice(row.notice, noticeOf(row, { reason, ...times }));
    const move = this.#move(row, row.nextRunAtMs);
    await this.#moveOn(running, { ...move, endedAs, missed: 1, notice });
  }

  /** Moves a schedule without a message. */
  async #moveOn({ row, creator: { mesh } }: Running, move: ScheduleMove): Promise<void> {
    const { id: scheduledId } = row;
    const { missed, endedAs } = move;
    const audits = missed > 0 || endedAs !== null
      ? [{ event: "reminder_missed", actor: null, payload: { scheduledId, missed, endedAs } }]
      : [];
    try {
      await this.#broker.ledger.append({ mesh, statements: [moveSchedule(move)], audits });
    } catch (error) {
      if (!isMovedAlready(error)) throw error;
    }
  }

  async #endOfCreator(row: ScheduleRow): Promise<void> {
    const { ledger, clock } = this.#broker;
    const { text, params } = endSchedule(row.meshId, row.id, "creator_gone", clock.now());
    await ledger.transact(null, async (tx) => {
      await tx.query(text, params);
      return { result: null, audits: [] };
    });
  }

  #move(row: ScheduleRow, fromMs: number): ScheduleMove {
    return {
      meshId: row.meshId,
      id: row.id,
      owner: this.#owner,
      fromMs,
      toMs: null,
      endedAs: null,
      fired: 0,
      missed: 0,
      notice: null,
      atMs: this.#broker.clock.now(),
      keepsLease: false,
    };
  }
}

/** Cancelled, moved, or leased by another broker: what was to be committed with the move is not stored. */
function isMovedAlready(error: unknown): boolean {
  const cause = error instanceof MeshError ? error.cause : error;
  return cause instanceof SqlError && cause.sqlState === MOVED_ALREADY;
}

/** Forgets schedules that were over for long. @throws {MeshError} when the store failed. */
export async function forgetEndedSchedules(broker: BrokerContext): Promise<void> {
  const beforeMs = broker.clock.now() - broker.settings.limits.scheduleKeptMs;
  const { text, params } = deleteEndedSchedules(beforeMs);
  await broker.ledger.transact(null, async (tx) => {
    await tx.query(text, params);
    return { result: null, audits: [] };
  });
}
