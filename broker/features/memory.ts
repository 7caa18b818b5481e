/**
 * Long-lived memory of a mesh.
 */
import type { Handlers } from "../api/op.ts";
import type { memory as contract } from "../api/memory.ts";
import type { Call } from "../core/context.ts";

export const memory: Handlers<typeof contract, Call> = {};
