/**
 * The simulated time of each mesh: runs at its speed while a peer is connected and nobody has paused it. Every change and
 * every tick is written, so that it goes on after a restart from where it stood; time without a broker does not pass.
 */
import {
  selectSimulationClock,
  type SimulationClockRow,
  storeSimulationClock,
} from "../../storage/sql/queries/simulation_clock.ts";
import type { Sql } from "../../storage/sql/port.ts";
import type { ClockStatus } from "../api/simulation_clock.ts";
import type { Clock } from "./clock.ts";
import type { Ledger } from "./ledger.ts";
import type { AuditEntry } from "./ledger_job.ts";
import type { Mesh } from "./model.ts";

/** A simulated minute: the distance of two ticks. */
export const TICK_MS = 60_000;
/** More real time than this between two looks is a step of the system's clock, or a machine that slept. */
const LONGEST_LOOK_MS = 120_000;

/** A clock in memory; a new object after each change. */
interface SimulatedTime {
  readonly speed: number;
  readonly paused: boolean;
  readonly startedAtMs: number;
  /** Simulated time at `anchorMs`, or now where it stands still. */
  readonly simMs: number;
  /** The real time from which it runs; null while it stands still. */
  readonly anchorMs: number | null;
}

/** A simulated time that runs. */
export interface RunningClock {
  readonly mesh: Mesh;
  readonly simNowMs: number;
  readonly speed: number;
}

export interface SimulationClockParts {
  readonly sql: Pick<Sql, "query">;
  readonly ledger: Pick<Ledger, "append">;
  readonly clock: Clock;
  /** Told when a simulated time begins, stops, or changes its speed. */
  readonly changed: () => void;
  /** Gets failed writes that nobody waits for. */
  readonly onError: (error: unknown) => void;
}

export class SimulationClocks {
  readonly #parts: SimulationClockParts;
  readonly #times = new Map<Mesh, SimulatedTime>();
  /** The last tick of each mesh that was written. */
  readonly #ticks = new Map<Mesh, number>();
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: SimulationClockParts) {
    this.#parts = parts;
  }

  /** Reads the clock of a mesh, which stands until a peer is there. @throws {SqlError} */
  async load(mesh: Mesh): Promise<void> {
    const row = await selectSimulationClock(this.#parts.sql, mesh.id);
    if (row === null) return;
    const time = { ...row, anchorMs: null };
    this.#times.set(mesh, time);
    this.#ticks.set(mesh, tickOf(time));
  }

  /** How it stands with a mesh's clock; null where none was ever set. */
  status(mesh: Mesh): ClockStatus | null {
    const time = this.#times.get(mesh);
    if (time === undefined) return null;
    const now = this.#settled(time);
    return {
      speed: now.speed,
      paused: now.paused,
      tick: tickOf(now),
      simTime: new Date(now.simMs).toISOString(),
      startedAt: new Date(now.startedAtMs).toISOString(),
      state: now.paused ? "paused" : "running",
    };
  }

  /** The simulated time now (ms); null where no clock was ever set. */
  now(mesh: Mesh): number | null {
    const time = this.#times.get(mesh);
    return time === undefined ? null : this.#settled(time).simMs;
  }

  /** Every simulated time that runs. */
  *running(): Iterable<RunningClock> {
    for (const [mesh, time] of this.#times) {
      if (time.anchorMs === null) continue;
      yield { mesh, simNowMs: this.#settled(time).simMs, speed: time.speed };
    }
  }

  /** Starts a mesh's clock at real time, or changes its speed. @throws {MeshError} when it could not be stored. */
  async setSpeed(mesh: Mesh, speed: number, audit: AuditEntry): Promise<void> {
    const nowMs = this.#parts.clock.now();
    const time = this.#times.get(mesh) ??
      { speed, paused: false, startedAtMs: nowMs, simMs: nowMs, anchorMs: null };
    await this.#change(mesh, { ...this.#settled(time), speed }, audit);
  }

  /** Pauses or resumes a clock that was set. @throws {MeshError} when it could not be stored. */
  async setPaused(mesh: Mesh, paused: boolean, audit: AuditEntry): Promise<void> {
    const time = this.#times.get(mesh);
    if (time === undefined) throw new Error("the mesh has no clock");
    await this.#change(mesh, { ...this.#settled(time), paused }, audit);
  }

  /** A peer of the mesh came or went: the clock stops with the last one and goes on with the first. */
  peersChanged(mesh: Mesh): void {
    const time = this.#times.get(mesh);
    if (time === undefined) return;
    const next = this.#runningOrNot(mesh, this.#settled(time));
    if ((next.anchorMs === null) === (time.anchorMs === null)) return;
    this.#times.set(mesh, next);
    this.#parts.changed();
    if (next.anchorMs === null) this.#write(mesh, next).catch(this.#parts.onError);
  }

  /**
   * Writes the ticks that have passed since the last one.
   * @returns the newest, null when none has passed or it could not be told from the last.
   * @throws {MeshError} when it could not be stored; the next call tells it.
   */
  async tick(mesh: Mesh): Promise<number | null> {
    const time = this.#times.get(mesh);
    if (time === undefined || time.anchorMs === null) return null;
    const now = this.#settled(time);
    this.#times.set(mesh, now);
    const tick = tickOf(now);
    if (tick <= (this.#ticks.get(mesh) ?? 0)) return null;
    await this.#write(mesh, now);
    if (tick <= (this.#ticks.get(mesh) ?? 0)) return null;
    this.#ticks.set(mesh, tick);
    return tick;
  }

  /** Real milliseconds until the next tick of any mesh; null while all stand still. */
  untilNextTick(): number | null {
    let least: number | null = null;
    for (const { mesh, simNowMs, speed } of this.running()) {
      const { startedAtMs } = this.#times.get(mesh)!;
      const next = startedAtMs + ((this.#ticks.get(mesh) ?? 0) + 1) * TICK_MS;
      const delayMs = Math.max(0, Math.ceil((next - simNowMs) / speed));
      if (least === null || delayMs < least) least = delayMs;
    }
    return least;
  }

  /** Resolves when everything under way is written or has failed. */
  flush(): Promise<void> {
    return this.#writing;
  }

  async #change(mesh: Mesh, changed: SimulatedTime, audit: AuditEntry): Promise<void> {
    const before = this.#times.get(mesh);
    const next = this.#runningOrNot(mesh, changed);
    // At once, so that the order of writes is the order of changes.
    this.#times.set(mesh, next);
    try {
      await this.#write(mesh, next, [audit]);
    } catch (error) {
      if (this.#times.get(mesh) === next) this.#restore(mesh, before);
      throw error;
    }
    this.#parts.changed();
  }

  #restore(mesh: Mesh, before: SimulatedTime | undefined): void {
    if (before === undefined) this.#times.delete(mesh);
    else this.#times.set(mesh, before);
  }

  #runningOrNot(mesh: Mesh, time: SimulatedTime): SimulatedTime {
    const runs = !time.paused && mesh.connections.size > 0;
    return { ...time, anchorMs: runs ? this.#parts.clock.now() : null };
  }

  /** The same clock, with what has passed since its anchor counted. */
  #settled(time: SimulatedTime): SimulatedTime {
    if (time.anchorMs === null) return time;
    const nowMs = this.#parts.clock.now();
    const passedMs = Math.min(LONGEST_LOOK_MS, Math.max(0, nowMs - time.anchorMs));
    return { ...time, simMs: time.simMs + passedMs * time.speed, anchorMs: nowMs };
  }

  #write(mesh: Mesh, time: SimulatedTime, audits: AuditEntry[] = []): Promise<void> {
    const writing = this.#parts.ledger.append({
      mesh,
      statements: [storeSimulationClock(mesh.id, rowOf(time))],
      audits,
    });
    this.#writing = Promise.allSettled([this.#writing, writing]).then(() => {});
    return writing;
  }
}

function rowOf({ speed, paused, startedAtMs, simMs }: SimulatedTime): SimulationClockRow {
  return { speed, paused, startedAtMs, simMs: Math.floor(simMs) };
}

function tickOf({ simMs, startedAtMs }: Pick<SimulatedTime, "simMs" | "startedAtMs">): number {
  return Math.floor((simMs - startedAtMs) / TICK_MS);
}
