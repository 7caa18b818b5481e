/**
 * Verbs for messages: `send` and `inbox`.
 */
import type { LocalResult } from "../core/local_api.ts";
import type { LocalMessage } from "../core/local_types.ts";
import { LocalError } from "../core/local_error.ts";
import { isReminder, REMINDER_PROOF, senderOf } from "../core/reminder_text.ts";
import { marks, printable, printableText, style } from "../ui/style.ts";
import { relativeTime, shortKey, table } from "../ui/text.ts";
import { MESH_FLAG, meshOption, textArgument, textFlag, type Verb } from "./verb.ts";

const MAX_WAIT_S = 3_600;
const PAGE = 500;

/** Reads a flag that holds a whole number. @throws {LocalError} `invalid_argument` with the bounds. */
export function numberFlag(
  text: string | undefined,
  name: string,
  bounds: { least: number; most: number; otherwise: number },
): number {
  if (text === undefined) return bounds.otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= bounds.least && value <= bounds.most) return value;
  throw new LocalError(
    "invalid_argument",
    `--${name} "${text}" is not a whole number from ${bounds.least} to ${bounds.most}`,
    { exit: 3, hint: `For example --${name} ${bounds.otherwise || bounds.least}` },
  );
}

export const send: Verb = {
  path: "send",
  summary: "Send a message to a peer, @group or everyone",
  details:
    "Recipients: a display name, a key or its first 8 digits, @group, @all or *; several with commas;\n" +
    "`slug:name` picks a mesh. Offline recipients get it when they come back; while the broker is out of\n" +
    "reach it is queued here and goes out by itself. Use - as the message to read standard input.",
  args: [
    { name: "to", summary: "who gets it", required: true },
    {
      name: "message",
      summary: "the text, or - for standard input",
      required: true,
      variadic: true,
    },
  ],
  flags: [
    MESH_FLAG,
    {
      syntax: "-p, --priority <priority>",
      summary: "now interrupts, next waits for idle, low is read on request",
      choices: ["now", "next", "low"],
    },
    { syntax: "--reply-to <id>", summary: "the message that this one answers" },
    { syntax: "--wait <seconds>", summary: "how long to wait for the broker's answer (default 5)" },
  ],
  examples: [
    'claudemesh send Bob "The build is green"',
    'claudemesh send @frontend "API changed" --priority now',
    "git log -1 | claudemesh send Bob,Ada - --json",
  ],
  json: true,
  async run(context) {
    const words = textArgument(context, 1);
    const body = words === "-" ? await new Response(Deno.stdin.readable).text() : words;
    if (body.trim() === "") {
      throw new LocalError("invalid_argument", "The message is empty", {
        exit: 3,
        hint: 'Write it after the recipient: claudemesh send Bob "text"',
      });
    }
    const wait = numberFlag(textFlag(context, "wait"), "wait", {
      least: 0,
      most: 60,
      otherwise: 5,
    });
    const client = await context.agent();
    const { results } = await client.call("send", {
      ...meshOption(context),
      to: textArgument(context, 0).split(",").map((each) => each.trim()).filter((each) => each),
      body,
      priority: (textFlag(context, "priority") ?? "next") as "now" | "next" | "low",
      ...(textFlag(context, "replyTo") ? { replyTo: textFlag(context, "replyTo")! } : {}),
      waitMs: wait * 1000,
    });
    const failures = results.filter((result) => !result.ok);
    const first = failures[0]?.error;
    return {
      data: { results, ...(first ? { error: first } : {}) },
      text: results.filter((result) => result.ok).map(sentLine).join("\n"),
      notice: failures.map(failureLine).join("\n"),
      exit: first?.exit ?? 0,
    };
  },
};

type Outcome = LocalResult<"send">["results"][number];

function sentLine(result: Outcome & { ok: true }): string {
  const to = printable(result.to);
  if (result.state === "queued_locally") {
    const id = style.dim(result.clientMessageId);
    const why = result.reason === null ? "" : ` (${printable(result.reason)})`;
    const hint = result.hint === null ? "" : `\n  ${style.dim(printable(result.hint))}`;
    return `${marks.warning()} ${to}: queued here until the broker answers${why}  ${id}${hint}`;
  }
  const others = result.recipients === 1 ? "" : ` (${result.recipients} recipients)`;
  return `${marks.done()} ${to}${others}  ${style.dim(result.messageId ?? "")}`;
}

function failureLine(result: Outcome & { ok: false }): string {
  const hint = result.error.hint ? `\n  ${style.hint(printable(result.error.hint))}` : "";
  return `${marks.failed()} ${printable(result.to)}: ${printable(result.error.message)}${hint}`;
}

/** Renders one message for a terminal: who, when, how far to be trusted, then the text. */
export function renderMessage(message: LocalMessage, nowMs: number): string {
  const trust = isReminder(message)
    ? style.warn(` (${REMINDER_PROOF})`)
    : message.verification === "signed"
    ? ""
    : style.warn(" (not signed)");
  const to = message.kind === "direct" ? "" : ` to ${printable(message.target)}`;
  const urgent = message.priority === "next" ? "" : style.warn(` [${message.priority}]`);
  const head = `${style.bold(printable(senderOf(message)))} ${
    style.dim(shortKey(message.fromPubkey))
  }${to} · ${printable(message.mesh)} · ${
    relativeTime(Date.parse(message.sentAt), nowMs)
  }${urgent}${trust}`;
  const text = message.text === null
    ? style.warn(`(${printable(message.reason ?? message.state)})`)
    : printableText(message.text);
  return `${head}\n${text.split("\n").map((line) => `  ${line}`).join("\n")}\n  ${
    style.dim(message.id)
  }`;
}

async function arrived(
  client: Awaited<ReturnType<Parameters<Verb["run"]>[0]["agent"]>>,
  options: {
    mesh?: string;
    all: boolean;
    peek: boolean;
    limit: number;
    waitMs: number;
    count: number;
  },
): Promise<LocalMessage[]> {
  const deadlineMs = Date.now() + options.waitMs;
  const mesh = options.mesh === undefined ? {} : { mesh: options.mesh };
  const read = async (waitMs: number) =>
    options.all
      ? (await client.call("messages.list", { ...mesh, limit: options.limit })).messages
      : (await client.call("messages.take", {
        ...mesh,
        reader: "cli",
        limit: options.limit,
        peek: options.peek,
        waitMs,
      })).messages;
  let wake = Promise.withResolvers<void>();
  client.onEvent((event) => {
    if (event.kind === "message") wake.resolve();
  });
  await client.call("messages.watch", mesh);
  let messages = await read(0);
  while (messages.length < options.count && Date.now() < deadlineMs) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs - Date.now());
    });
    await Promise.race([wake.promise, late]);
    clearTimeout(timer);
    wake = Promise.withResolvers();
    const next = await read(0);
    messages = options.all ? next : [...messages, ...next];
  }
  return messages;
}

export const inbox: Verb = {
  path: "inbox",
  summary: "Show messages that nobody has read yet",
  details: "Shown messages count as seen, and their senders' receipts say so.",
  args: [],
  flags: [
    MESH_FLAG,
    {
      syntax: "-w, --wait [seconds]",
      summary: "wait for messages (default 60) when there are none",
    },
    { syntax: "--count <n>", summary: "with --wait: return when there are this many (default 1)" },
    { syntax: "--all", summary: "the newest messages, read ones too" },
    { syntax: "--peek", summary: "leave them unread" },
    { syntax: "--limit <n>", summary: "at most this many (default 50)" },
  ],
  examples: ["claudemesh inbox", "claudemesh inbox --wait 120", "claudemesh inbox --all --json"],
  json: true,
  async run(context) {
    const waits = context.flags.wait !== undefined;
    const count = numberFlag(textFlag(context, "count"), "count", {
      least: 1,
      most: PAGE,
      otherwise: 1,
    });
    const limit = numberFlag(textFlag(context, "limit"), "limit", {
      least: 1,
      most: PAGE,
      otherwise: Math.max(50, count),
    });
    const waitS = waits
      ? numberFlag(textFlag(context, "wait"), "wait", { least: 0, most: MAX_WAIT_S, otherwise: 60 })
      : 0;
    const messages = await arrived(await context.agent(), {
      ...meshOption(context),
      all: context.flags.all === true,
      peek: context.flags.peek === true,
      limit,
      waitMs: waitS * 1000,
      count,
    });
    const nowMs = Date.now();
    return {
      data: { messages },
      text: messages.length === 0
        ? "  No new messages."
        : messages.map((message) => renderMessage(message, nowMs)).join("\n\n"),
    };
  },
};

export const outbox: Verb = {
  path: "outbox",
  summary: "Show messages that have not left this machine, and those refused for good",
  args: [],
  flags: [MESH_FLAG, { syntax: "--dismiss", summary: "delete the refused ones" }],
  examples: ["claudemesh outbox", "claudemesh outbox --dismiss"],
  json: true,
  async run(context) {
    const client = await context.agent();
    if (context.flags.dismiss === true) {
      const { dismissed } = await client.call("outbox.dismiss", meshOption(context));
      return { data: { dismissed }, text: `${marks.done()} ${dismissed} dismissed` };
    }
    const { messages } = await client.call("outbox.list", meshOption(context));
    const rows = messages.map((message) => [
      message.state === "queued" ? marks.warning() : marks.failed(),
      message.mesh,
      printable(message.target.slice(0, 24)),
      relativeTime(message.createdAtMs, Date.now()),
      message.state === "queued" ? "waits for the broker" : printable(message.error ?? "refused"),
      style.dim(message.clientMessageId),
    ]);
    return {
      data: { messages },
      text: messages.length === 0 ? "  Nothing waits." : table(rows),
    };
  },
};
