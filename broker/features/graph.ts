/**
 * A mesh's own graph.
 */
import type { Handlers } from "../api/op.ts";
import type { graph as contract } from "../api/graph.ts";
import type { Call } from "../core/context.ts";

export const graph: Handlers<typeof contract, Call> = {};
