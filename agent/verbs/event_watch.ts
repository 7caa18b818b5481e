/**
 * Prints events of the joined meshes as they come, until enough were seen, the time is up or the user interrupts.
 */
import { LocalError } from "../core/local_error.ts";
import type { LocalEvent } from "../core/local_types.ts";
import { printAnswer, printJsonLine } from "../ui/print.ts";
import { numberFlag } from "./messages.ts";
import { type Flag, meshOption, textFlag, type VerbContext } from "./verb.ts";

const MAX_COUNT = 1_000_000;
const MAX_TIMEOUT_S = 2_000_000;

/** A system event, as the agent tells it. */
export type WatchedEvent = Extract<LocalEvent, { kind: "system" }>;

export interface EventWatch {
  /** What to print for people, null for an event that is not wanted. */
  line(event: WatchedEvent): string | null;
  /** What `--json` prints, one object a line. */
  data(event: WatchedEvent): Readonly<Record<string, unknown>>;
  /** Runs when the watch is on, before the first event: what it asks for is not missed. */
  begin?(): Promise<void>;
}

/** Flags of every verb that watches. */
export const WATCH_FLAGS: readonly Flag[] = [
  { syntax: "--count <n>", summary: "end after so many" },
  { syntax: "--timeout <seconds>", summary: "end after so long" },
];

/** Watches until the flags of `WATCH_FLAGS` say that it is enough. */
export async function watchEvents(context: VerbContext, watch: EventWatch): Promise<void> {
  const count = numberFlag(textFlag(context, "count"), "count", {
    least: 1,
    most: MAX_COUNT,
    otherwise: Infinity,
  });
  const timeoutS = numberFlag(textFlag(context, "timeout"), "timeout", {
    least: 0,
    most: MAX_TIMEOUT_S,
    otherwise: Infinity,
  });
  const client = await context.agent();
  const enough = Promise.withResolvers<void>();
  let printed = 0;
  client.onEvent((event) => {
    if (event.kind !== "system" || printed >= count) return;
    const line = watch.line(event);
    if (line === null) return;
    if (context.json) printJsonLine({ mesh: event.mesh, ...watch.data(event) });
    else printAnswer(line);
    printed += 1;
    if (printed >= count) enough.resolve();
  });
  await client.call("messages.watch", meshOption(context));
  await watch.begin?.();
  const timer = Number.isFinite(timeoutS) ? setTimeout(enough.resolve, timeoutS * 1000) : undefined;
  const lost = client.closed.then(() => {
    throw new LocalError("offline", "the agent has stopped, and nothing more can be heard", {
      exit: 4,
      hint: "Start the watch again; it starts the agent",
    });
  });
  // It rejects at the end of every verb, when the connection is given back.
  lost.catch(() => {});
  try {
    await Promise.race([enough.promise, lost]);
  } finally {
    clearTimeout(timer);
  }
}
