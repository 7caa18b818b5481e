/**
 * `stream watch`: prints what is kept of a stream, then what comes.
 */
import type { LocalClient } from "../core/local_client.ts";
import { LocalError } from "../core/local_error.ts";
import type { StreamNews } from "../core/stream_news.ts";
import { printAnswer, printJsonLine, printNotice } from "../ui/print.ts";
import { marks } from "../ui/style.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { eventLine, HISTORY_PAGE, type HistoryPage } from "./streams.ts";
import { MESH_FLAG, meshOption, textArgument, textFlag, type Verb } from "./verb.ts";

const MOST_SECONDS = 86_400;

export const streamWatch: Verb = {
  path: "stream watch",
  summary: "Print a stream's events as they come",
  details:
    "Goes on until Ctrl-C, --count or --timeout; a lost connection is made up for. With --json each\n" +
    "event is one line.",
  args: [{ name: "stream", summary: "the stream's name", required: true }],
  flags: [
    MESH_FLAG,
    {
      syntax: "--from <n>",
      summary: "begin with this event number; 1 for the oldest that is kept",
    },
    { syntax: "--count <n>", summary: "end after so many events" },
    {
      syntax: "--timeout <seconds>",
      summary: "end after so long; exit code 4 if --count is not reached",
    },
  ],
  examples: [
    "claudemesh stream watch builds",
    "claudemesh stream watch builds --from 1 --count 10 --timeout 60 --json",
  ],
  json: true,
  async run(context) {
    const stream = textArgument(context, 0);
    const whole = { least: 1, most: Number.MAX_SAFE_INTEGER, otherwise: 0 };
    const [from, count] = ["from", "count"].map((name) =>
      numberFlag(textFlag(context, name), name, whole)
    ) as [number, number];
    const seconds = numberFlag(textFlag(context, "timeout"), "timeout", {
      least: 1,
      most: MOST_SECONDS,
      otherwise: 0,
    });
    const client = await context.agent();
    const feed = new StreamFeed(client, stream, seconds);
    let left = count === 0 ? Infinity : count;
    try {
      const position = await client.call("stream.watch", { ...meshOption(context), stream });
      const wanted = from === 0 ? position.from : Math.min(from, position.from);
      const read = async (begin: number) =>
        (await callOne(client, context, "stream_history", {
          stream,
          from: begin,
          limit: HISTORY_PAGE,
        })).output as unknown as HistoryPage;
      for await (const news of allNews(stream, wanted, position.from, read, feed)) {
        tell(news, context.json);
        if (news.kind === "event") left -= 1;
        if (left === 0) return null;
      }
    } finally {
      feed.close();
    }
    if (count === 0) return null;
    throw new LocalError("timeout", `${count - left} of ${count} events came in ${seconds} s`);
  },
};

/** What is kept before `live`, then what comes; a gap where events are gone. */
async function* allNews(
  stream: string,
  from: number,
  live: number,
  read: (from: number) => Promise<HistoryPage>,
  feed: StreamFeed,
): AsyncGenerator<StreamNews> {
  let next = from;
  while (next < live) {
    const { events } = await read(next);
    const first = Math.min(events[0]?.seq ?? live, live);
    if (first > next) yield { kind: "gap", stream, from: next, to: first - 1 };
    next = first;
    for (const event of events) {
      if (event.seq >= live) break;
      yield { kind: "event", stream, ...event };
      next = event.seq + 1;
    }
  }
  for await (const news of feed) {
    // Also when the stream was deleted and made again meanwhile: its numbers begin anew.
    if (news.kind === "begun") next = news.from;
    // What came before the subscription's answer has been read as history.
    if (news.kind === "event" && news.seq < next) continue;
    yield news;
  }
}

/** The news of one stream as the agent tells them, until the time is over. */
class StreamFeed {
  readonly #news: StreamNews[] = [];
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #wake = Promise.withResolvers<void>();
  #isOver = false;
  #isGone = false;

  constructor(client: LocalClient, stream: string, seconds: number) {
    client.onEvent((event) => {
      if (event.kind !== "stream" || event.news.stream !== stream) return;
      this.#news.push(event.news);
      this.#wake.resolve();
    });
    void client.closed.then(() => {
      this.#isGone = true;
      this.#wake.resolve();
    });
    if (seconds > 0) this.#timer = setTimeout(() => this.close(), seconds * 1_000);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#isOver = true;
    this.#wake.resolve();
  }

  /** @throws {LocalError} when the agent is gone or the stream is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamNews> {
    for (;;) {
      for (const news of this.#news.splice(0)) {
        if (this.#isOver) return;
        if (news.kind === "ended") {
          throw new LocalError("not_found", `The stream "${news.stream}" was deleted`);
        }
        yield news;
      }
      if (this.#isOver) return;
      if (this.#isGone) {
        throw new LocalError("agent_gone", "The connection to the agent was lost", {
          hint: "Run the command again with --from the number after the last one",
        });
      }
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }
}

function tell(news: StreamNews, json: boolean): void {
  if (news.kind === "gap") {
    const { stream, from, to } = news;
    if (json) printJsonLine({ stream, gap: { from, to } });
    else printNotice(`${marks.warning()} events ${from} to ${to} are not kept any more`);
  }
  if (news.kind !== "event") return;
  const { kind: _, ...event } = news;
  if (json) return printJsonLine(event);
  printAnswer(eventLine(news));
}
