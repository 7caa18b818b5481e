/**
 * Times as people write them on the command line: "in 1h30m", "at 17:45", "at 2026-11-21T09:00".
 */
import { LocalError } from "../core/local_error.ts";

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  "": 1,
  s: 1,
  sec: 1,
  m: 60,
  min: 60,
  h: 3_600,
  hr: 3_600,
  d: 86_400,
  day: 86_400,
};
const DELAY = /^(?:\d+(?:\.\d+)?\s*(?:s|sec|m|min|h|hr|d|day)?\s*)+$/;
const DELAY_PART = /(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|hr|d|day)?(?![a-z])/g;
const HOUR_MINUTE = /^([01]?\d|2[0-3]):([0-5]\d)$/;
const LOCAL_TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?$/;
const WITH_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/i;
const DAY_MS = 86_400_000;

/** Seconds of "10m", "1h30m", "90"; no unit is seconds. @throws {LocalError} `invalid_argument`. */
export function delaySeconds(text: string): number {
  const lower = text.trim().toLowerCase();
  if (!DELAY.test(lower)) {
    throw new LocalError("invalid_argument", `"${text}" is no span of time`, {
      exit: 3,
      hint: "Write it like 90s, 10m, 2h, 1h30m or 3d",
    });
  }
  let seconds = 0;
  for (const [, number, unit = ""] of lower.matchAll(DELAY_PART)) {
    seconds += Number(number) * UNIT_SECONDS[unit]!;
  }
  return seconds;
}

/**
 * Milliseconds of "17:45" (the next one), "2026-11-21T09:00" (both by the clocks of `timeZone`) or a time with an offset.
 * What daylight saving leaves out is right after the gap; what comes twice is the first.
 * @throws {LocalError} `invalid_argument`.
 */
export async function timeMs(text: string, timeZone: string, nowMs: number): Promise<number> {
  const written = text.trim();
  if (WITH_ZONE.test(written)) {
    const atMs = Date.parse(written);
    if (!Number.isNaN(atMs)) return atMs;
  }
  const daily = HOUR_MINUTE.exec(written);
  if (daily !== null) {
    const [, hour, minute] = daily;
    return await nextRun(`${minute} ${hour} * * *`, timeZone, nowMs) ?? wrongTime(text);
  }
  const local = LOCAL_TIME.exec(written);
  if (local === null) return wrongTime(text);
  const [year, month, day, hour, minute, second] = local.slice(1).map((each) => Number(each ?? 0));
  const dayMs = Date.UTC(year!, month! - 1, day!);
  const pattern = `${minute} ${hour} ${day} ${month} *`;
  const atMs = await nextRun(pattern, timeZone, dayMs - 2 * DAY_MS);
  // A day that does not exist comes in another year, or never.
  if (atMs === null || atMs > dayMs + 3 * DAY_MS) return wrongTime(text);
  return atMs + second! * 1000;
}

/** The next run of a cron expression; the library is large, so it is loaded only where it is asked. */
async function nextRun(pattern: string, timezone: string, afterMs: number): Promise<number | null> {
  const { Cron } = await import("croner");
  try {
    const cron = new Cron(pattern, { timezone, mode: "5-part", paused: true });
    return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
  } catch (cause) {
    const isZone = cause instanceof Error && /time ?zone/i.test(cause.message);
    if (!isZone) return null;
    throw new LocalError("invalid_argument", `"${timezone}" is no time zone`, {
      exit: 3,
      hint: "Name one like Europe/Berlin, America/New_York or UTC",
      cause,
    });
  }
}

function wrongTime(text: string): never {
  throw new LocalError("invalid_argument", `"${text}" is no time`, {
    exit: 3,
    hint: "Write it like 17:45, 2026-11-21T09:00 or 2026-11-21T09:00+01:00",
  });
}
