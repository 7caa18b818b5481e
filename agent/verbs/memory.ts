/**
 * Verbs of the mesh's memory: `remember`, `recall`, `forget`.
 */
import type { MemoryEntry } from "../../broker/api/memory.ts";
import { LocalError } from "../core/local_error.ts";
import { marks, printable, printableText, style } from "../ui/style.ts";
import { relativeTime } from "../ui/text.ts";
import { durationMs } from "./meshes.ts";
import { numberFlag } from "./messages.ts";
import { callOne } from "./people.ts";
import { MESH_FLAG, textArgument, textFlag, type Verb } from "./verb.ts";

/** How much of an id people read; any beginning that only one memory has is understood. */
const SHOWN_ID_CHARS = 8;
const MAX_ROWS = 50;
const MAX_OFFSET = 1_000;

export const remember: Verb = {
  path: "remember",
  summary: "Keep a fact for every member of the mesh",
  details:
    "The broker can read it. Use - as the text to read standard input. --replaces puts a new text in the place\n" +
    "of a memory of yours (or, as an admin, of anybody's).",
  args: [{
    name: "text",
    summary: "the fact, or - for standard input",
    required: true,
    variadic: true,
  }],
  flags: [
    MESH_FLAG,
    { syntax: "-t, --tags <a,b>", summary: "words to find it by" },
    { syntax: "--expires <duration>", summary: "when it is erased: 90m, 12h, 7d, 2w" },
    { syntax: "--replaces <id>", summary: "the memory that this text replaces" },
  ],
  examples: [
    'claudemesh remember "Staging is reset every Monday" --tags staging,database',
    'claudemesh remember "Ada is on call" --expires 7d',
  ],
  json: true,
  async run(context) {
    const words = textArgument(context, 0);
    const content = (words === "-" ? await new Response(Deno.stdin.readable).text() : words).trim();
    if (content === "") {
      throw new LocalError("invalid_argument", "There is nothing to remember", {
        exit: 3,
        hint: 'Write it behind the verb: claudemesh remember "text"',
      });
    }
    const tags = (textFlag(context, "tags") ?? "").split(",").map((tag) => tag.trim())
      .filter((tag) => tag !== "");
    const expires = textFlag(context, "expires");
    const memoryId = textFlag(context, "replaces");
    const { mesh, output } = await callOne(await context.agent(), context, "remember", {
      content,
      tags,
      ...(expires === undefined ? {} : { expiresInMs: durationMs(expires) }),
      ...(memoryId === undefined ? {} : { memoryId }),
    });
    const id = String(output.id);
    const until = output.expiresAt === null ? "" : ` until ${output.expiresAt}`;
    const what = output.replaced === true ? "Replaced" : "Remembered";
    return {
      data: { mesh, id, content, tags, expires_at: output.expiresAt, replaced: output.replaced },
      text: `${marks.done()} ${what} in ${printable(mesh)}${until}  ${
        style.dim(id.slice(0, SHOWN_ID_CHARS))
      }`,
    };
  },
};

function rendered(entry: MemoryEntry, nowMs: number): string {
  const tags = entry.tags.map((tag) => `#${printable(tag)}`).join(" ");
  const changed = entry.updatedAt === undefined
    ? ""
    : ` · changed ${relativeTime(Date.parse(entry.updatedAt), nowMs)} by ${
      printable(entry.updatedBy ?? "")
    }`;
  const ends = entry.expiresAt === undefined
    ? ""
    : ` · ends ${relativeTime(Date.parse(entry.expiresAt), nowMs)}`;
  const head = `${style.accent(entry.id.slice(0, SHOWN_ID_CHARS))}  ${
    style.bold(printable(entry.rememberedBy))
  } · ${relativeTime(Date.parse(entry.rememberedAt), nowMs)}${changed}${ends}${
    tags === "" ? "" : `  ${style.dim(tags)}`
  }`;
  const lines = printableText(entry.content).split("\n").map((line) => `  ${line}`);
  return [head, ...lines].join("\n");
}

export const recall: Verb = {
  path: "recall",
  summary: "Search what the mesh remembers, best matches first",
  details:
    'Words (all of them, else some), "a phrase", prefix*, tag:name, and each with a minus in front to leave\n' +
    "out what has it (write -- before a query that begins with a minus). Without a query: the newest.",
  args: [{ name: "query", summary: "what to look for", required: false, variadic: true }],
  flags: [
    MESH_FLAG,
    { syntax: "-n, --limit <count>", summary: `at most so many, up to ${MAX_ROWS} (default 20)` },
    { syntax: "--offset <count>", summary: "leaves out so many of the first" },
  ],
  examples: [
    "claudemesh recall staging database",
    "claudemesh recall '\"goes live\" tag:release' --json",
  ],
  json: true,
  async run(context) {
    const bounds = { least: 1, most: MAX_ROWS, otherwise: 20 };
    const limit = numberFlag(textFlag(context, "limit"), "limit", bounds);
    const offset = numberFlag(textFlag(context, "offset"), "offset", {
      least: 0,
      most: MAX_OFFSET,
      otherwise: 0,
    });
    const query = context.args[0] === undefined ? "" : textArgument(context, 0);
    const { mesh, output } = await callOne(await context.agent(), context, "recall", {
      query,
      limit,
      offset,
    });
    const memories = output.memories as MemoryEntry[];
    const nowMs = Date.now();
    const left = Number(output.matches) - offset - memories.length;
    const note = memories.length === 0
      ? "Nothing like this is remembered."
      : output.matched === "any"
      ? style.dim("Nothing has all of these words; these have some of them.")
      : "";
    const more = left > 0 ? style.dim(`${left} more: --offset ${offset + memories.length}`) : "";
    const blocks = [note, ...memories.map((entry) => rendered(entry, nowMs)), more];
    return {
      data: { mesh, memories, matched: output.matched, matches: output.matches },
      text: blocks.filter((block) => block !== "").join("\n\n"),
    };
  },
};

export const forget: Verb = {
  path: "forget",
  summary: "Forget a memory: yours, or anybody's as an admin",
  args: [{ name: "id", summary: "its id, or the first 4 or more characters", required: true }],
  flags: [MESH_FLAG],
  examples: ["claudemesh forget 3xVbT9kQ"],
  json: true,
  async run(context) {
    const memoryId = textArgument(context, 0);
    const { mesh, output } = await callOne(await context.agent(), context, "forget", { memoryId });
    const id = String(output.id);
    return {
      data: { mesh, id },
      text: `${marks.done()} Forgotten in ${printable(mesh)}  ${
        style.dim(id.slice(0, SHOWN_ID_CHARS))
      }`,
    };
  },
};
