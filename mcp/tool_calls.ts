/**
 * Runs a tool for a client: checks its arguments, turns failures into answers, and lets urgent messages ride along.
 */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types";
import { LocalError } from "../agent/core/local_error.ts";
import { peerText } from "../agent/core/peer_text.ts";
import { ANSWER_BYTES, cutRow, cutText } from "./tools/page.ts";
import type { Tool, ToolAnswer, ToolContext } from "./tools/tool.ts";
import { failedAnswer } from "./tools/tool_error.ts";

const RIDING_CHARS = 6_000;
const MAX_RIDING = 20;

/** An answer as it is sent, and the messages that it puts before the model. */
export interface ToolOutcome {
  readonly result: CallToolResult;
  readonly carried: readonly string[];
}

/**
 * Calls `tool` with `args` as they came.
 * @param rides whether urgent messages may ride along (not in mode `off`).
 * @returns an answer in every case: failures are answers with `isError`.
 */
export async function callTool(
  tool: Tool,
  args: unknown,
  context: ToolContext,
  rides: boolean,
): Promise<ToolOutcome> {
  const answer = await answerOf(tool, args, context);
  // What it carries itself is on its way; and an answer that failed says nothing about the connection's mail.
  const riding = rides && answer.isError !== true && tool.name !== "check_messages"
    ? await urgent(context)
    : { text: "", carried: [] };
  return {
    result: {
      content: [
        { type: "text", text: cutText(answer.text, ANSWER_BYTES + 1_000) },
        ...(riding.text === "" ? [] : [{ type: "text" as const, text: riding.text }]),
      ],
      // Hosts that prefer the data show the model nothing else, so the messages ride there too.
      structuredContent: {
        // Tools page by themselves; this is for what is too wide to be paged.
        ...cutRow(answer.data, 2 * ANSWER_BYTES),
        ...(riding.text === "" ? {} : { peer_messages: riding.text }),
      },
      ...(answer.isError === true ? { isError: true } : {}),
    },
    carried: [...answer.carried ?? [], ...riding.carried],
  };
}

async function answerOf(tool: Tool, args: unknown, context: ToolContext): Promise<ToolAnswer> {
  const parsed = tool.input.strict().safeParse(args ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".");
    const message = `${field ? `${field}: ` : ""}${issue?.message ?? "wrong arguments"}`;
    const names = Object.keys(tool.input.shape).join(", ");
    const hint = `Parameters of ${tool.name}: ${names === "" ? "none" : names}.`;
    return failedAnswer(new LocalError("invalid_argument", message, { exit: 3, hint }));
  }
  try {
    return await tool.call(context, parsed.data);
  } catch (error) {
    return failedAnswer(error);
  }
}

/** Urgent messages that nothing has shown yet; none where the agent cannot be asked. */
async function urgent(
  context: ToolContext,
): Promise<{ text: string; carried: readonly string[] }> {
  try {
    const { messages } = await context.call("messages.take", {
      sessionId: context.sessionId,
      onlyNow: true,
      confirm: true,
      limit: MAX_RIDING,
    });
    return peerText(messages, RIDING_CHARS);
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    // The tool has worked; the messages wait for the next way.
    return { text: "", carried: [] };
  }
}
