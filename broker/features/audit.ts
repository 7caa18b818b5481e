/**
 * The audit chain, for its readers.
 */
import type { Handlers } from "../api/op.ts";
import type { audit as contract } from "../api/audit.ts";
import type { Call } from "../core/context.ts";

export const audit: Handlers<typeof contract, Call> = {};
