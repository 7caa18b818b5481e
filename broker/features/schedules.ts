/**
 * Reminders at a time or by cron.
 */
import type { Handlers } from "../api/op.ts";
import type { schedules as contract } from "../api/schedules.ts";
import type { Call } from "../core/context.ts";

export const schedules: Handlers<typeof contract, Call> = {};
