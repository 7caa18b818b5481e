/**
 * Verbs for streams that show more than an operation's answer, or take what a pipe brings.
 */
import type { StreamEventNews } from "../core/stream_news.ts";
import { marks, printable, style } from "../ui/style.ts";
import { relativeTime, table } from "../ui/text.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, textArgument, textFlag, type Verb } from "./verb.ts";

/** The most that one answer holds. */
export const HISTORY_PAGE = 200;

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

/** A page of kept events as `stream_history` answers. */
export interface HistoryPage {
  readonly events: readonly Omit<StreamEventNews, "kind" | "stream">[];
  readonly next: number | null;
}

export const streamHistory: Verb = {
  path: "stream history",
  summary: "Print kept events of a stream, oldest first",
  args: [{ name: "stream", summary: "the stream's name", required: true }],
  flags: [
    MESH_FLAG,
    { syntax: "--from <n>", summary: "first event number (default: the newest --limit)" },
    { syntax: "--limit <n>", summary: `at most this many, up to ${HISTORY_PAGE} (default 50)` },
  ],
  examples: [
    "claudemesh stream history builds",
    "claudemesh stream history builds --from 1 --limit 100 --json",
  ],
  json: true,
  async run(context) {
    const stream = textArgument(context, 0);
    const whole = { least: 1, most: Number.MAX_SAFE_INTEGER, otherwise: 0 };
    const from = numberFlag(textFlag(context, "from"), "from", whole);
    const limits = { least: 1, most: HISTORY_PAGE, otherwise: 50 };
    const limit = numberFlag(textFlag(context, "limit"), "limit", limits);
    const input = { stream, limit, ...(from === 0 ? {} : { from }) };
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "stream_history", input);
    const { events, next } = output as unknown as HistoryPage;
    const lines = events.map((event) => eventLine({ kind: "event", stream, ...event }));
    if (next !== null) lines.push(`  ${style.dim(`More: --from ${next}`)}`);
    const text = lines.length === 0 ? "  No events." : lines.join("\n");
    return { data: { mesh, ...output }, text };
  },
};

interface ListedStream {
  readonly name: string;
  readonly createdBy: string;
  readonly subscriberCount: number;
  readonly lastSeq: number;
  readonly lastPublishedAt: string | null;
}

export const streamList: Verb = {
  path: "stream list",
  summary: "List the mesh's streams",
  args: [],
  flags: [MESH_FLAG],
  examples: ["claudemesh stream list"],
  json: true,
  async run(context) {
    const client = await context.agent();
    const { mesh, output } = await callOne(client, context, "list_streams", {});
    const rows = (output.streams as ListedStream[]).map((stream) => [
      style.bold(stream.name),
      stream.lastPublishedAt === null
        ? "no events"
        : `#${stream.lastSeq} ${relativeTime(Date.parse(stream.lastPublishedAt), Date.now())}`,
      `${stream.subscriberCount} ${stream.subscriberCount === 1 ? "follower" : "followers"}`,
      style.dim(`by ${printable(stream.createdBy)}`),
    ]);
    return { data: { mesh, ...output }, text: rows.length === 0 ? "  No streams." : table(rows) };
  },
};

/** An event on a line for people. */
export function eventLine(event: StreamEventNews): string {
  const head = `${style.dim(String(event.seq))} ${style.bold(printable(event.publishedBy))} ` +
    style.dim(relativeTime(Date.parse(event.publishedAt), Date.now()));
  return `${head}  ${printable(JSON.stringify(event.data))}`;
}
