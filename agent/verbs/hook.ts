/**
 * `claudemesh hook`: what Claude Code's hooks run. It tells the agent what the session does and prints what the agent has
 * to say; it never fails, never blocks the host, and is silent when there is nothing to say. Few imports: every hook of
 * every turn pays for them.
 */
import type { LocalParams } from "../core/local_api.ts";
import { printAnswer, printNotice } from "../ui/print.ts";
import type { Verb } from "./verb.ts";

const STDIN_TIMEOUT_MS = 500;
const MAX_STDIN_BYTES = 262_144;
const ANSWER_TIMEOUT_MS = 250;

/** Fields of Claude Code's hook input that matter here. */
interface HookInput {
  readonly session_id?: unknown;
  readonly cwd?: unknown;
  readonly transcript_path?: unknown;
  readonly hook_event_name?: unknown;
  readonly stop_hook_active?: unknown;
  readonly source?: unknown;
  readonly reason?: unknown;
  readonly notification_type?: unknown;
}

/** Reads the host's JSON: at most 256 KiB and half a second; anything else counts as nothing. */
async function readInput(): Promise<HookInput> {
  if (Deno.stdin.isTerminal()) return {};
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = Deno.stdin.readable.getReader();
  const timer = setTimeout(() => void reader.cancel(), STDIN_TIMEOUT_MS);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (length > MAX_STDIN_BYTES) return {};
    }
    const value = JSON.parse(await new Blob(chunks as BlobPart[]).text());
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    // No input or no JSON: the host's session must go on, and there is nothing to report from.
    return {};
  } finally {
    clearTimeout(timer);
  }
}

/** The ancestors of this process, nearest first: one of them is the host, as it is the MCP server's. */
async function ancestors(limit = 6): Promise<number[]> {
  const pids: number[] = [];
  let pid = Deno.ppid;
  while (pid > 1 && pids.length < limit) {
    pids.push(pid);
    if (Deno.build.os !== "linux") break;
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      pid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    } catch {
      // The process is gone: its ancestors are not to be known.
      break;
    }
  }
  return pids;
}

function text(value: unknown, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

async function parameters(status: string | undefined): Promise<LocalParams<"hook">> {
  const input = await readInput();
  const detail = [input.source, input.reason, input.notification_type]
    .find((each) => typeof each === "string") as string | undefined;
  return {
    event: text(input.hook_event_name, "none"),
    sessionId: text(input.session_id, ""),
    cwd: text(input.cwd, Deno.env.get("CLAUDE_PROJECT_DIR") ?? Deno.cwd()),
    hostPids: await ancestors(),
    ...(typeof input.transcript_path === "string" ? { transcriptPath: input.transcript_path } : {}),
    ...(input.stop_hook_active === true ? { stopHookActive: true } : {}),
    ...(detail === undefined ? {} : { detail: detail.slice(0, 64) }),
    ...(status === undefined ? {} : { status: status as "idle" | "working" | "dnd" }),
  };
}

/**
 * Runs one hook. `argv` may name a status (`idle`, `working`, `dnd`), as older registrations do.
 * @returns 0, whatever happens: a host must never be held up by its messenger.
 */
export async function runHook(argv: readonly string[]): Promise<number> {
  const debug = Deno.env.get("CLAUDEMESH_HOOK_DEBUG") === "1";
  try {
    const status = ["idle", "working", "dnd"].find((each) => each === argv[0]);
    const [{ openLocal }, { homePaths }, params] = await Promise.all([
      import("../core/local_client.ts"),
      import("../home/paths.ts"),
      parameters(status),
    ]);
    const client = await openLocal(homePaths().socketPath);
    if (client === null) return 0;
    const options = { timeoutMs: ANSWER_TIMEOUT_MS };
    const { output, carried, sessionId } = await client.call("hook", params, options);
    if (output !== null) printAnswer(JSON.stringify(output));
    // Seen counts from here on: a hook that dies before it has printed loses no message.
    if (carried.length > 0 && sessionId !== null) {
      await client.call("messages.seen", { ids: [...carried], sessionId }, options);
    }
  } catch (error) {
    if (debug) printNotice(String(error));
  }
  return 0;
}

/** The verb's entry for help; `main.ts` runs it without the parser. */
export const hook: Verb = {
  path: "hook",
  summary: "What Claude Code's hooks run: reports status, carries waiting messages",
  details: "Reads the hook's JSON on standard input; never fails and never blocks the host.",
  args: [{
    name: "status",
    summary: "idle, working or dnd, instead of the event",
    required: false,
  }],
  flags: [],
  examples: ["claudemesh hook < event.json"],
  json: false,
  async run(context) {
    const status = context.args[0];
    const exit = await runHook(typeof status === "string" ? [status] : []);
    return { data: {}, text: "", exit };
  },
};
