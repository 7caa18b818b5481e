/**
 * Verbs for streams that are more than one operation: publishing from standard input, and watching.
 */
import type { LocalEvent } from "../core/local_types.ts";
import { LocalError } from "../core/local_error.ts";
import type { StreamEventNews } from "../core/stream_news.ts";
import { printAnswer, printJsonLine, printNotice } from "../ui/print.ts";
import { marks, printable, style } from "../ui/style.ts";
import { relativeTime } from "../ui/text.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, meshOption, textArgument, textFlag, type Verb } from "./verb.ts";

type Client = Awaited<ReturnType<Parameters<Verb["run"]>[0]["agent"]>>;
type StreamNews = Extract<LocalEvent, { kind: "stream" }>["news"];

const HISTORY_PAGE = 200;
const MOST_EVENTS = 1_000_000;
const MOST_SECONDS = 86_400;

/** JSON where it is that, else a text. */
function dataOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const streamPublish: Verb = {
  path: "stream publish",
  summary: "Append an event to a stream, which is made if there is none",
  details:
    "The data is taken as JSON where it is JSON, else as text. With - it is read from standard\n" +
    "input; with --lines each line of that is an event of its own, as it comes.",
  args: [
    { name: "stream", summary: "the stream's name", required: true },
    {
      name: "data",
      summary: "JSON or text, or - for standard input",
      required: true,
      variadic: true,
    },
  ],
  flags: [MESH_FLAG, { syntax: "--lines", summary: "with -: one event per line" }],
  examples: [
    'claudemesh stream publish builds \'{"job":"api","ok":true}\'',
    "claudemesh stream publish notes the freeze begins at noon",
    "tail -f build.log | claudemesh stream publish builds - --lines",
  ],
  json: true,
  async run(context) {
    const stream = textArgument(context, 0);
    const words = textArgument(context, 1);
    const client = await context.agent();
    const publish = async (text: string) =>
      await callOne(client, context, "publish", { stream, data: dataOf(text) });
    if (words === "-" && context.flags.lines === true) {
      const seqs = await publishLines(publish);
      return {
        data: { stream, events: seqs.count, lastSeq: seqs.last },
        text: `${marks.done()} ${seqs.count} ${seqs.count === 1 ? "event" : "events"}  ` +
          style.dim(`up to ${seqs.last ?? "-"}`),
      };
    }
    const text = words === "-" ? await new Response(Deno.stdin.readable).text() : words;
    const { mesh, output } = await publish(text.replace(/\n$/, ""));
    return {
      data: { mesh, ...output },
      text: `${marks.done()} ${printable(stream)} ${style.dim(`#${output.seq}`)}`,
    };
  },
};

async function publishLines(
  publish: (line: string) => Promise<{ output: Record<string, unknown> }>,
): Promise<{ count: number; last: number | null }> {
  const { createInterface } = await import("node:readline");
  const { Readable } = await import("node:stream");
  const lines = createInterface({ input: Readable.fromWeb(Deno.stdin.readable as never) });
  let count = 0;
  let last: number | null = null;
  for await (const line of lines) {
    if (line === "") continue;
    const { output } = await publishPatiently(publish, line);
    last = Number(output.seq);
    count += 1;
  }
  return { count, last };
}

/** A pipe may be faster than the broker allows: then it waits. */
async function publishPatiently(
  publish: (line: string) => Promise<{ output: Record<string, unknown> }>,
  line: string,
): Promise<{ output: Record<string, unknown> }> {
  for (;;) {
    try {
      return await publish(line);
    } catch (error) {
      const { code, retryAfterMs } = error as { code?: string; retryAfterMs?: number };
      if (code !== "rate_limited" || retryAfterMs === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    }
  }
}

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
    const whole = { least: 1, most: MOST_EVENTS, otherwise: 0 };
    const from = numberFlag(textFlag(context, "from"), "from", whole);
    const count = numberFlag(textFlag(context, "count"), "count", whole);
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

interface HistoryPage {
  readonly events: readonly Omit<StreamEventNews, "kind" | "stream">[];
  readonly lastSeq: number;
}

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

  constructor(client: Client, stream: string, seconds: number) {
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
        if (news.kind !== "begun") yield news;
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
  const head = `${style.dim(String(event.seq))} ${style.bold(printable(event.publishedBy))} ` +
    style.dim(relativeTime(Date.parse(event.publishedAt), Date.now()));
  printAnswer(`${head}  ${printable(JSON.stringify(event.data))}`);
}
