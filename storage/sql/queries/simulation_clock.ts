/**
 * A mesh's simulated time as it was written last.
 */
import type { SqlExecutor, SqlStatement } from "../port.ts";

/** A row of `mesh.simulation_clock`; times in milliseconds. */
export interface SimulationClockRow {
  /** Simulated milliseconds per real one. */
  readonly speed: number;
  /** Stopped by a person. */
  readonly paused: boolean;
  /** Simulated time when it was written; whole milliseconds. */
  readonly simMs: number;
  readonly startedAtMs: number;
}

/** Reads the clock of a mesh; null where none was ever set. */
export async function selectSimulationClock(
  executor: SqlExecutor,
  meshId: string,
): Promise<SimulationClockRow | null> {
  const [row] = await executor.query<
    { speed: number; paused: boolean; simAt: Date; startedAt: Date }
  >(
    `select speed, paused, sim_at as "simAt", started_at as "startedAt"
      from mesh.simulation_clock where mesh_id = $1`,
    [meshId],
  );
  if (row === undefined) return null;
  const { speed, paused, simAt, startedAt } = row;
  return { speed, paused, simMs: simAt.getTime(), startedAtMs: startedAt.getTime() };
}

/** Writes the clock of a mesh as it is now. */
export function storeSimulationClock(meshId: string, row: SimulationClockRow): SqlStatement {
  return {
    text: `insert into mesh.simulation_clock (mesh_id, speed, paused, sim_at, started_at)
      values ($1, $2, $3, $4, $5)
      on conflict (mesh_id) do update set speed = excluded.speed, paused = excluded.paused,
        sim_at = excluded.sim_at, started_at = excluded.started_at`,
    params: [meshId, row.speed, row.paused, new Date(row.simMs), new Date(row.startedAtMs)],
  };
}
