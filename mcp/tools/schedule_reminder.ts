/**
 * `schedule_reminder`: a text to be sent later. Beside the operation it knows this machine's time zone, and names as
 * `send_message` takes them.
 */
import * as z from "zod";
import { misfire, scheduleClock, schedules } from "../../broker/api/schedules.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import type { CallResult } from "../../agent/core/local_types.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool, type ToolAnswer, type ToolContext } from "./tool.ts";
import { errorData, errorLine } from "./tool_error.ts";

const { schedule } = schedules;

const input = z.object({
  message: schedule.input.shape.message,
  deliver_at: z.int().nonnegative().optional().describe("Once: Unix time in milliseconds."),
  in_seconds: z.number().min(0).max(LIMITS.scheduleAheadMs.value / 1000).optional().describe(
    "Once: seconds from now.",
  ),
  cron: z.string().max(LIMITS.cronChars.value).optional().describe(
    "Repeating: minute hour day month weekday, for example 0 9 * * 1-5.",
  ),
  to: z.string().min(1).max(600).optional().describe(
    "Display name, public key, @group or *; left out: this session.",
  ),
  time_zone: z.string().max(LIMITS.timeZoneChars.value).optional().describe(
    "IANA zone of cron; this machine's by default.",
  ),
  misfire: misfire.optional().describe("Missed runs: one for all (default), none, or each."),
  clock: scheduleClock.optional().describe("simulation: times are the mesh clock's."),
  mesh: meshParameter,
});

type Input = z.output<typeof input>;

/** The operation's input; how often it runs is said in exactly one way. */
function requestOf(given: Input): Record<string, unknown> {
  const { message, deliver_at, in_seconds, cron, to, time_zone, misfire, clock } = given;
  if ([deliver_at, in_seconds, cron].filter((each) => each !== undefined).length !== 1) {
    throw new LocalError("invalid_argument", "Give exactly one of deliver_at, in_seconds and cron");
  }
  const timeZone = time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const entries = Object.entries({
    message,
    to,
    deliverAt: deliver_at,
    inSeconds: in_seconds,
    cron,
    timeZone: cron === undefined ? time_zone : timeZone,
    misfire,
    clock,
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

async function ask(
  context: ToolContext,
  mesh: { mesh?: string },
  request: Record<string, unknown>,
): Promise<CallResult> {
  const { results } = await context.call("call", {
    ...mesh,
    wire: schedule.wire,
    input: request,
    sessionId: context.sessionId,
  });
  return results[0]!;
}

function shown(result: CallResult): ToolAnswer {
  if (!result.ok) {
    return {
      text: `Error: ${errorLine(result.error)}`,
      data: { ok: false, mesh: result.mesh, error: errorData(result.error) },
      isError: true,
    };
  }
  const output = schedule.output.parse(result.output);
  const [first] = output.nextRuns;
  const repeats = output.cron === undefined ? "" : `, then by "${output.cron}" ${output.timeZone}`;
  return {
    text: `Reminder ${output.scheduledId} for ${output.toName} fires at ${first}${repeats}.`,
    data: { mesh: result.mesh, ...output },
  };
}

export const scheduleReminder = tool({
  name: "schedule_reminder",
  description:
    "Have a text sent later, once or by cron, to yourself or others; the broker keeps it and can read it.",
  readOnly: false,
  input,
  async call(context, given) {
    const request = requestOf(given);
    const mesh = given.mesh === undefined ? {} : { mesh: given.mesh };
    const result = await ask(context, mesh, request);
    const { to } = given;
    const isName = to !== undefined && !/^[@*]/.test(to);
    if (result.ok || result.error.code !== "not_found" || !isName) return shown(result);
    // The broker knows whole names and keys; the agent knows their parts too.
    const { target } = await context.call("resolve", { mesh: result.mesh, to });
    return shown(await ask(context, { mesh: result.mesh }, { ...request, to: target }));
  },
});
