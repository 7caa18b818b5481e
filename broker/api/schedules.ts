/**
 * Reminders at a time or by cron. Frames: reference protocol 2.13. Their text is readable by the broker, which sends
 * it when nobody else may be there: they arrive as a `push` with `subtype: "reminder"` and body version 0.
 */
import * as z from "zod";
import { event } from "./event.ts";
import { id, isoTime, milliseconds, priority, target } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

/** Body version of what the broker itself sends: base64 of plain text, never of a peer's message. */
export const PLAIN_BODY_VERSION = 0;
/** The `subtype` of a push that carries a reminder. */
export const REMINDER = "reminder";

/** What becomes of runs that nobody could make at their time. */
export const misfire = z.enum(["run_once", "skip", "run_all"]);
/** Which time a schedule follows. */
export const scheduleClock = z.enum(["real", "simulation"]);
export type Misfire = z.infer<typeof misfire>;
export type ScheduleClock = z.infer<typeof scheduleClock>;

const cron = z.string().min(1).max(LIMITS.cronChars.value).describe(
  "Repeating: five fields, minute hour day month weekday (0 or 7 is Sunday).",
);
const timeZone = z.string().min(1).max(LIMITS.timeZoneChars.value).describe(
  "IANA time zone of cron, for example Europe/Berlin; UTC when left out.",
);
const scheduleId = z.string().min(8).max(64).describe(
  "The schedule's id, or its first 8 or more characters.",
);

const entry = z.object({
  id,
  to: z.string().describe("What frames carry: a key, `@group` or `*`."),
  toName: z.string().describe("The recipient as people call it."),
  self: z.boolean().describe("It comes back to who set it."),
  message: z.string().describe("Empty in an admin's list where somebody else set it."),
  deliverAt: milliseconds.describe("When it fires next, by its clock."),
  createdAt: milliseconds,
  createdBy: z.string(),
  subtype: z.literal(REMINDER),
  priority,
  clock: scheduleClock,
  misfire,
  cron: z.string().optional(),
  timeZone: z.string().optional(),
  firedCount: z.int().optional(),
  missedCount: z.int().optional(),
});
export type ScheduleEntry = z.infer<typeof entry>;

export const schedules = {
  schedule: op({
    wire: "schedule",
    reply: "scheduled_ack",
    since: 3,
    summary: "Send a text later, once or by cron; it survives restarts and arrives as a reminder.",
    grant: "member",
    rate: "request",
    audit: "reminder_scheduled",
    fails: ["not_found", "ambiguous_target", "invalid_cron", "no_clock", "limit"],
    input: z.object({
      to: target.optional().describe(
        "A key, a display name, `@group`, `@all` or `*`; left out: the session that asks.",
      ),
      message: z.string().min(1).max(LIMITS.scheduleTextChars.value).describe("Text to deliver."),
      deliverAt: milliseconds.optional().describe("Once: milliseconds since 1970 by its clock."),
      inSeconds: z.number().min(0).max(LIMITS.scheduleAheadMs.value / 1000).optional().describe(
        "Once: seconds from now by its clock.",
      ),
      cron: cron.optional(),
      recurring: z.boolean().optional().describe("True only with cron, as older clients say it."),
      subtype: z.literal(REMINDER).optional().describe("What it always is."),
      timeZone: timeZone.optional(),
      misfire: misfire.default("run_once").describe(
        "Runs missed while no broker ran: one for all, none, or each (the last 100).",
      ),
      clock: scheduleClock.default("real").describe("`simulation`: the mesh's simulated time."),
      priority: priority.default("now").describe("How it is delivered; `now` interrupts."),
    }),
    output: z.object({
      scheduledId: z.string(),
      deliverAt: milliseconds.describe("When it fires first, by its clock."),
      to: z.string(),
      toName: z.string(),
      cron: z.string().optional(),
      timeZone: z.string().optional(),
      nextRuns: z.array(isoTime).describe("The first runs, at most three."),
    }),
    example: {
      input: { to: "@team", message: "Stand-up", cron: "0 9 * * 1-5", timeZone: "Europe/Berlin" },
      output: {
        scheduledId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
        deliverAt: 1_795_420_800_000,
        to: "@team",
        toName: "@team",
        cron: "0 9 * * 1-5",
        timeZone: "Europe/Berlin",
        nextRuns: ["2026-11-23T08:00:00.000Z"],
      },
    },
  }),

  listScheduled: op({
    wire: "list_scheduled",
    reply: "scheduled_list",
    since: 3,
    summary: "List the reminders that this member has set and that are not over.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    tool: {
      name: "list_scheduled",
      reach: "one",
      readOnly: true,
      description: "List the reminders you have set that are still to come.",
      hide: ["all", "limit"],
    },
    input: z.object({
      all: z.boolean().default(false).describe("Owners and admins: everybody's, without texts."),
      limit: z.int().min(1).max(LIMITS.schedules.value).default(LIMITS.schedules.value).describe(
        "At most this many.",
      ),
      offset: z.int().min(0).max(100_000).default(0).describe("Skips so many of them."),
    }),
    output: z.object({
      messages: z.array(entry).describe("The next first."),
      more: z.boolean().describe("There are more behind these: go on with offset."),
    }),
    example: { input: {}, output: { messages: [], more: false } },
  }),

  cancelScheduled: op({
    wire: "cancel_scheduled",
    reply: "cancel_scheduled_ack",
    since: 3,
    summary: "Call off a reminder; owners and admins may call off everybody's.",
    grant: "member",
    rate: "request",
    audit: "reminder_cancelled",
    fails: ["not_found", "ambiguous_prefix"],
    tool: {
      name: "cancel_scheduled",
      reach: "one",
      description: "Call off a reminder that has not fired, or a repeating one.",
      rename: { id: "scheduledId" },
    },
    input: z.object({ scheduledId: scheduleId }),
    output: z.object({ scheduledId: z.string(), ok: z.boolean() }),
    example: {
      input: { scheduledId: "A1b2C3d4" },
      output: { scheduledId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8", ok: true },
    },
  }),
};

export const schedulesEvents = {
  reminderMissed: event({
    wire: "push",
    name: "reminder_missed",
    since: 3,
    summary: "Runs of a reminder of yours did not happen at their time; kept until you are here.",
    data: z.object({
      scheduledId: id,
      message: z.string().describe("The beginning of its text."),
      toName: z.string(),
      reason: z.enum(["late", "recipient_gone", "nobody_there", "refused"]),
      missed: z.int().describe("Runs that did not happen at their time."),
      ran: z.int().describe("Runs that were made up for."),
      firstMissedAt: isoTime,
      lastMissedAt: isoTime,
      misfire,
      cron: z.string().optional(),
    }),
    example: {
      scheduledId: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
      message: "Stand-up",
      toName: "@team",
      reason: "late",
      missed: 3,
      ran: 1,
      firstMissedAt: "2026-11-23T08:00:00.000Z",
      lastMissedAt: "2026-11-25T08:00:00.000Z",
      misfire: "run_once",
      cron: "0 9 * * 1-5",
    },
  }),
};

export type ReminderMissed = z.infer<typeof schedulesEvents.reminderMissed.data>;
