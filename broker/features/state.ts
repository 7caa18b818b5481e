/**
 * Shared key-value state of a mesh.
 */
import type { Handlers } from "../api/op.ts";
import type { state as contract } from "../api/state.ts";
import type { Call } from "../core/context.ts";

export const state: Handlers<typeof contract, Call> = {};
