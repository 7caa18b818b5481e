/**
 * A mesh's simulated time: what it is, for everybody; its control, for owners and admins.
 */
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import type { ClockStatus, simulationClock as contract } from "../api/simulation_clock.ts";
import type { Call } from "../core/context.ts";

export const simulationClock: Handlers<typeof contract, Call> = {
  getClock: (call) => Promise.resolve(statusOf(call)),

  async setClock(call, { speed }) {
    const { broker, connection: { mesh, member: actor } } = call;
    const audit = { event: "clock_set", actor, payload: { speed } };
    await broker.simulationClocks.setSpeed(mesh, speed, audit);
    return statusOf(call);
  },

  pauseClock: (call) => setPaused(call, true),

  resumeClock: (call) => setPaused(call, false),
};

async function setPaused(call: Call, paused: boolean): Promise<ClockStatus> {
  const { broker, connection: { mesh, member: actor } } = call;
  const status = broker.simulationClocks.status(mesh);
  if (status === null) {
    throw new MeshError("no_clock", "this mesh has no simulation clock; set its speed first");
  }
  const event = paused ? "clock_paused" : "clock_resumed";
  const audit = { event, actor, payload: { tick: status.tick } };
  await broker.simulationClocks.setPaused(mesh, paused, audit);
  return statusOf(call);
}

function statusOf({ broker, connection: { mesh } }: Call): ClockStatus {
  const known = broker.simulationClocks.status(mesh);
  if (known !== null) return known;
  const now = new Date(broker.clock.now()).toISOString();
  return { speed: 0, paused: true, tick: 0, simTime: now, startedAt: now, state: "not_started" };
}
