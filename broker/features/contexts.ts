/**
 * What each session works on.
 */
import type { Handlers } from "../api/op.ts";
import type { contexts as contract } from "../api/contexts.ts";
import type { Call } from "../core/context.ts";

export const contexts: Handlers<typeof contract, Call> = {};
