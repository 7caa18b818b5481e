/**
 * Named live data streams.
 */
import type { Handlers } from "../api/op.ts";
import type { streams as contract } from "../api/streams.ts";
import type { Call } from "../core/context.ts";

export const streams: Handlers<typeof contract, Call> = {};
