/**
 * Logs: JSON lines on standard error, one object each with time, level, event and fields. Never message text, keys,
 * tokens or links. Nothing is written until `startLog` was called, so tests are quiet.
 */
import { configure, getLogger, jsonLinesFormatter, type Logger } from "@logtape/logtape";
import type { LogLevel } from "./settings.ts";

/** The broker's logger; `info("broker listens", { port })`. */
export function brokerLog(): Logger {
  return getLogger(["claudemesh", "broker"]);
}

/** Sends this process's log to `write`, which gets whole lines without their end. */
export async function startLog(level: LogLevel, write: (line: string) => void): Promise<void> {
  await configure({
    reset: true,
    sinks: { lines: (record) => write(jsonLinesFormatter(record).trimEnd()) },
    loggers: [
      { category: ["claudemesh"], lowestLevel: level, sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["lines"] },
    ],
  });
}
