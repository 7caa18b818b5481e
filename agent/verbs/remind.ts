/**
 * Verbs for reminders: `remind`, `remind list`, `remind cancel`.
 */
import type { ScheduleEntry } from "../../broker/api/schedules.ts";
import { LocalError } from "../core/local_error.ts";
import { marks, printable, style } from "../ui/style.ts";
import { relativeTime, table } from "../ui/text.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { delaySeconds, timeMs } from "./remind_times.ts";
import {
  MESH_FLAG,
  meshOption,
  textArgument,
  textFlag,
  type Verb,
  type VerbContext,
} from "./verb.ts";

const SHOWN_TEXT_CHARS = 48;

function localTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** When it comes, as the operation takes it. @throws {LocalError} where it is said in no way, or in two. */
async function timing(context: VerbContext): Promise<Record<string, unknown>> {
  const [delay, at, cron] = ["in", "at", "cron"].map((name) => textFlag(context, name));
  if ([delay, at, cron].filter((each) => each !== undefined).length !== 1) {
    throw new LocalError("invalid_argument", "Give exactly one of --in, --at and --cron", {
      exit: 3,
      hint: 'For example claudemesh remind "stretch" --in 30m',
    });
  }
  const timeZone = textFlag(context, "tz") ?? localTimeZone();
  if (delay !== undefined) return { inSeconds: delaySeconds(delay) };
  if (at !== undefined) return { deliverAt: await timeMs(at, timeZone, Date.now()) };
  return { cron, timeZone };
}

async function recipient(context: VerbContext): Promise<Record<string, unknown>> {
  const to = textFlag(context, "to");
  if (to === undefined) return {};
  const client = await context.agent();
  const { target } = await client.call("resolve", { ...meshOption(context), to });
  return { to: target };
}

export const remind: Verb = {
  path: "remind",
  summary: "Have a text sent later, once or repeatedly, to yourself or others",
  details:
    "The broker keeps the text and can read it; it arrives as a reminder, also after restarts and for those who\n" +
    "are offline at the time. Without --to it comes to your own sessions.",
  args: [{ name: "message", summary: "the text", required: true, variadic: true }],
  flags: [
    MESH_FLAG,
    { syntax: "--in <span>", summary: "once, after 90s, 10m, 2h, 1h30m or 3d" },
    { syntax: "--at <time>", summary: "once, at 17:45 (the next one) or 2026-11-21T09:00" },
    { syntax: "--cron <expression>", summary: "by minute hour day month weekday" },
    { syntax: "--tz <zone>", summary: "time zone of --at and --cron (default: this machine's)" },
    { syntax: "--to <name>", summary: "a name, a key, @group or *; left out: yourself" },
    {
      syntax: "--misfire <policy>",
      summary: "runs missed while no broker ran: one for all (default), none, or each",
      choices: ["run_once", "skip", "run_all"],
    },
    { syntax: "--clock <clock>", summary: "whose time counts", choices: ["real", "simulation"] },
    {
      syntax: "-p, --priority <priority>",
      summary: "now (default) interrupts, next waits for idle, low is read on request",
      choices: ["now", "next", "low"],
    },
  ],
  examples: [
    'claudemesh remind "stretch" --in 30m',
    'claudemesh remind "release" --at 17:45 --to @team',
    'claudemesh remind "stand-up" --cron "0 9 * * 1-5" --tz Europe/Berlin --to Bob',
  ],
  json: true,
  async run(context) {
    const chosen = Object.fromEntries(
      ["misfire", "clock", "priority"].flatMap((name) => {
        const value = textFlag(context, name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const { mesh, output } = await callOne(await context.agent(), context, "schedule", {
      message: textArgument(context, 0),
      ...await timing(context),
      ...await recipient(context),
      ...chosen,
    });
    const { scheduledId, deliverAt, toName, cron, timeZone } = output as {
      scheduledId: string;
      deliverAt: number;
      toName: string;
      cron?: string;
      timeZone?: string;
    };
    const who = textFlag(context, "to") === undefined ? "yourself" : printable(toName);
    const isReal = textFlag(context, "clock") !== "simulation";
    const when = isReal ? whenOf(deliverAt) : `${isoOf(deliverAt)} simulated`;
    const repeats = cron === undefined ? "" : `, then ${printable(cron)} (${timeZone})`;
    return {
      data: { mesh, ...output },
      text: `${marks.done()} ${who}  ${when}${repeats}  ${style.dim(scheduledId)}`,
    };
  },
};

export const remindList: Verb = {
  path: "remind list",
  summary: "Show the reminders you have set that are still to come",
  args: [],
  flags: [
    MESH_FLAG,
    { syntax: "--all", summary: "everybody's, for owners and admins" },
    { syntax: "--offset <n>", summary: "skip so many" },
  ],
  examples: ["claudemesh remind list", "claudemesh remind list --json"],
  json: true,
  async run(context) {
    const all = context.flags.all === true;
    const offset = numberFlag(textFlag(context, "offset"), "offset", {
      least: 0,
      most: 100_000,
      otherwise: 0,
    });
    const { mesh, output } = await callOne(
      await context.agent(),
      context,
      "list_scheduled",
      { all, offset },
    );
    const scheduled = output.messages as ScheduleEntry[];
    const more = output.more === true;
    const text = scheduled.length === 0 ? "  No reminders." : table(scheduled.map(rowOf));
    return {
      data: { mesh, scheduled, more },
      text: more ? `${text}\n  ${style.dim(`More: --offset ${offset + scheduled.length}`)}` : text,
    };
  },
};

export const remindCancel: Verb = {
  path: "remind cancel",
  summary: "Call off a reminder",
  args: [{ name: "id", summary: "its id, or the first 8 or more characters", required: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh remind cancel A1b2C3d4"],
  json: true,
  async run(context) {
    const scheduledId = textArgument(context, 0);
    const { mesh, output } = await callOne(await context.agent(), context, "cancel_scheduled", {
      scheduledId,
    });
    return {
      data: { mesh, ...output },
      text: `${marks.done()} ${output.scheduledId} is called off`,
    };
  },
};

function rowOf(entry: ScheduleEntry): string[] {
  const characters = [...entry.message.replace(/\s+/g, " ")];
  const cut = characters.length > SHOWN_TEXT_CHARS ? "…" : "";
  const repeats = entry.cron === undefined ? "" : `${entry.cron} ${entry.timeZone}`;
  return [
    entry.id,
    entry.clock === "real" ? whenOf(entry.deliverAt) : `${isoOf(entry.deliverAt)} simulated`,
    entry.self ? "yourself" : printable(entry.toName),
    printable(repeats),
    printable(characters.slice(0, SHOWN_TEXT_CHARS).join("") + cut),
  ];
}

/** A time for people: their own, and how far off it is. */
function whenOf(atMs: number): string {
  const local = new Date(atMs).toLocaleString("sv-SE", { timeZone: localTimeZone() });
  return `${local} (${relativeTime(atMs, Date.now())})`;
}

function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
