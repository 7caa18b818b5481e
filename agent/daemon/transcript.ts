/**
 * What a host's transcript tells: whether its session works or is idle, and which messages its model has been shown.
 * Read by the agent, on the machine where the transcript is; a broker sees none of it. The format is Claude Code's: one
 * JSON object a line, of type "user" or "assistant" where the conversation goes on.
 */

const TAIL_BYTES = 131_072;
const MAX_SEARCH_BYTES = 1_048_576;
/** A transcript that has not grown for so long belongs to a session that ended without a word. */
const STALE_MS = 1_800_000;
/** Text without a stop reason may be an answer still being written. */
const WRITING_MS = 30_000;

const INTERRUPTED = "[Request interrupted by user";

interface TranscriptLine {
  readonly type?: unknown;
  readonly isSidechain?: unknown;
  readonly isMeta?: unknown;
  readonly message?: { readonly content?: unknown; readonly stop_reason?: unknown };
}

interface ContentBlock {
  readonly type?: unknown;
  readonly text?: unknown;
}

/** Reads at most `maxBytes` of the end of the file from `fromByte` on; null when it cannot be read. */
async function readTail(
  path: string,
  maxBytes: number,
  fromByte = 0,
): Promise<{ text: string; sizeBytes: number; modifiedMs: number } | null> {
  try {
    using file = await Deno.open(path);
    const { size, mtime, isFile } = await file.stat();
    if (!isFile) return null;
    const start = Math.max(fromByte, size - maxBytes, 0);
    await file.seek(start, Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.max(size - start, 0));
    let length = 0;
    while (length < bytes.length) {
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    const text = new TextDecoder().decode(bytes.subarray(0, length));
    return { text, sizeBytes: size, modifiedMs: mtime?.getTime() ?? 0 };
  } catch (error) {
    if (error instanceof Deno.errors.BadResource) throw error;
    // Not there yet, removed, or not ours to read: the transcript tells nothing.
    return null;
  }
}

function blocksOf(content: unknown): ContentBlock[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return Array.isArray(content) ? content.filter((each) => typeof each === "object" && each) : [];
}

function parseLine(line: string): TranscriptLine | null {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    // The first line of a tail is cut, and the last may be half written.
    return null;
  }
}

/** What one line of the conversation says; null for lines that say nothing. */
function statusOfLine(line: TranscriptLine, ageMs: number): "working" | "idle" | null {
  if (line.isSidechain === true || line.isMeta === true) return null;
  const blocks = blocksOf(line.message?.content);
  if (line.type === "user") {
    const interrupted = blocks.some((block) =>
      typeof block.text === "string" && block.text.startsWith(INTERRUPTED)
    );
    return interrupted ? "idle" : "working";
  }
  if (line.type !== "assistant") return null;
  if (blocks.some((block) => block.type === "tool_use")) return "working";
  const reason = line.message?.stop_reason;
  if (typeof reason === "string" && reason !== "tool_use") return "idle";
  return ageMs < WRITING_MS ? "working" : "idle";
}

/**
 * Infers from the end of the transcript at `path` what its session does at `nowMs`.
 * @returns null when there is no transcript, or nothing in its end tells.
 */
export async function transcriptStatus(
  path: string,
  nowMs: number,
): Promise<"working" | "idle" | null> {
  const tail = await readTail(path, TAIL_BYTES);
  if (tail === null) return null;
  const ageMs = nowMs - tail.modifiedMs;
  if (ageMs > STALE_MS) return "idle";
  for (const text of tail.text.split("\n").reverse()) {
    const line = text === "" ? null : parseLine(text);
    const status = line === null ? null : statusOfLine(line, ageMs);
    if (status !== null) return status;
  }
  return null;
}

/**
 * Looks for `ids` of messages in channel events that the host has written to its transcript.
 * @param fromByte where an earlier search ended.
 * @returns the ids found and where this search ended.
 */
export async function shownByChannel(
  path: string,
  ids: readonly string[],
  fromByte: number,
): Promise<{ shown: string[]; endByte: number }> {
  if (ids.length === 0) return { shown: [], endByte: fromByte };
  const tail = await readTail(path, MAX_SEARCH_BYTES, fromByte);
  if (tail === null) return { shown: [], endByte: fromByte };
  const lines = tail.text.split("\n").filter((line) => line.includes("<channel "));
  const shown = ids.filter((id) => lines.some((line) => line.includes(id)));
  return { shown, endByte: tail.sizeBytes };
}
