/**
 * Work to be claimed.
 */
import type { Handlers } from "../api/op.ts";
import type { tasks as contract } from "../api/tasks.ts";
import type { Call } from "../core/context.ts";

export const tasks: Handlers<typeof contract, Call> = {};
