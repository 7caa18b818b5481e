/**
 * What runs on a clock, each in its own rhythm. A run that fails is logged and tried again at its next time.
 */
import { type CancelTimer, every } from "../core/clock.ts";
import type { ConnectionTable } from "../core/connection_table.ts";
import type { BrokerContext } from "../core/context.ts";
import { releaseLapsedTasks } from "../core/tasks/task_releases.ts";
import { cleanFiles, removeOrphans } from "./clean_files.ts";
import { keepMemories } from "./memory_upkeep.ts";
import { forgetOldSessions } from "./retention.ts";
import { rotationDue } from "./rotation_due.ts";
import { forgetEndedSchedules } from "./schedule_runs.ts";
import { startScheduler } from "./scheduler.ts";
import { startSimulationTicks } from "./simulation_ticks.ts";
import { watchStore } from "./store_health.ts";
import { forgetClosedTasks } from "./task_upkeep.ts";

const QUARTER_MINUTE_MS = 15_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Starts all jobs of a broker; returns what stops them. */
export function startJobs(broker: BrokerContext, table: ConnectionTable): CancelTimer {
  const { clock, log } = broker;
  const running = new Set<string>();
  function regularly(periodMs: number, name: string, run: () => Promise<unknown>): CancelTimer {
    return every(clock, periodMs, () => {
      // A run that takes longer than its period, for example on a store that hangs, is not doubled.
      if (running.has(name)) return;
      running.add(name);
      run()
        .catch((error) => log.warn("a job failed", { job: name, error: String(error) }))
        .finally(() => running.delete(name));
    });
  }
  const stops = [
    every(clock, QUARTER_MINUTE_MS, () => broker.status.sweep()),
    every(clock, QUARTER_MINUTE_MS, () => table.sweep()),
    regularly(MINUTE_MS, "delivery", () => broker.delivery.sweep()),
    regularly(MINUTE_MS, "activity", () => broker.activity.flush(broker.meshes.all())),
    regularly(MINUTE_MS, "memories", () => keepMemories(broker)),
    regularly(HOUR_MS, "retention", () => forgetOldSessions(broker)),
    regularly(QUARTER_MINUTE_MS, "task leases", () => releaseLapsedTasks(broker)),
    regularly(HOUR_MS, "closed tasks", () => forgetClosedTasks(broker)),
    regularly(HOUR_MS, "rotation", () => rotationDue(broker)),
    regularly(HOUR_MS, "files", () => cleanFiles(broker)),
    regularly(DAY_MS, "orphaned files", () => removeOrphans(broker)),
    regularly(HOUR_MS, "schedules", () => forgetEndedSchedules(broker)),
    startScheduler(broker),
    startSimulationTicks(broker),
    watchStore(broker),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
