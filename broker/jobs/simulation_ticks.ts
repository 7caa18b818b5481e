/**
 * Tells peers of each simulated minute of their mesh, after it was written: a tick is never told twice, not even after a
 * crash. What was late tells the newest tick alone.
 */
import { simulationClockEvents } from "../api/simulation_clock.ts";
import type { CancelTimer } from "../core/clock.ts";
import type { BrokerContext } from "../core/context.ts";
import { TICK_MS } from "../core/simulation_clocks.ts";
import { DueLoop } from "./due_loop.ts";

/** Starts it; returns what stops it. */
export function startSimulationTicks(broker: BrokerContext): CancelTimer {
  const loop = new DueLoop({
    clock: broker.clock,
    work: {
      async runDue() {
        await Promise.all([...broker.simulationClocks.running()].map(({ mesh }) => tell(mesh)));
        return false;
      },
      untilNext: () => Promise.resolve(broker.simulationClocks.untilNextTick()),
    },
    onError: (error) => broker.log.warn("a clock did not tick", { error: String(error) }),
  });
  async function tell(mesh: Parameters<typeof broker.simulationClocks.tick>[0]): Promise<void> {
    const tick = await broker.simulationClocks.tick(mesh);
    const status = broker.simulationClocks.status(mesh);
    if (tick === null || status === null) return;
    const simTime = new Date(Date.parse(status.startedAt) + tick * TICK_MS).toISOString();
    const { speed } = status;
    broker.events.toMesh(mesh, simulationClockEvents.tick, { tick, simTime, speed });
  }
  const forget = broker.planChanged.on(() => loop.wake());
  loop.wake();
  return () => {
    forget();
    loop.stop();
  };
}
