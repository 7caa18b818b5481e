/**
 * A mesh's simulated time.
 */
import type { Handlers } from "../api/op.ts";
import type { simulationClock as contract } from "../api/simulation_clock.ts";
import type { Call } from "../core/context.ts";

export const simulationClock: Handlers<typeof contract, Call> = {};
