/**
 * Runs what is scheduled: real time and simulated, in all meshes.
 */
import type { CancelTimer } from "../core/clock.ts";
import type { BrokerContext } from "../core/context.ts";
import { DueLoop } from "./due_loop.ts";
import { tellMissed } from "./missed_notices.ts";
import { ScheduleRuns } from "./schedule_runs.ts";

/** Starts it; returns what stops it. */
export function startScheduler(broker: BrokerContext): CancelTimer {
  const runs = new ScheduleRuns(broker, broker.random.id());
  const loop = new DueLoop({
    clock: broker.clock,
    work: {
      async runDue() {
        const more = await runs.runDue();
        if (!more) await tellMissed(broker);
        return more;
      },
      untilNext: () => runs.untilNext(),
    },
    onError: (error) => broker.log.warn("schedules did not run", { error: String(error) }),
  });
  const forget = broker.planChanged.on(() => loop.wake());
  loop.wake();
  return () => {
    forget();
    loop.stop();
  };
}
