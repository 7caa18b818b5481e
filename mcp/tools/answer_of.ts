/**
 * The answer of a written tool that is one operation on one mesh.
 */
import type { CallResult } from "../../agent/core/local_types.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { jsonText } from "./page.ts";
import type { ToolAnswer } from "./tool.ts";
import { errorData, errorLine } from "./tool_error.ts";

/** Returns what the operation answered, as `shape` makes it, or its refusal. */
export function answerOf(
  results: readonly CallResult[],
  shape: (output: Record<string, unknown>) => Record<string, unknown>,
): ToolAnswer {
  const [result] = results;
  if (result === undefined) throw new LocalError("not_joined", "No mesh is joined");
  if (!result.ok) {
    return {
      text: `Error: ${errorLine(result.error)}`,
      data: { ok: false, mesh: result.mesh, error: errorData(result.error) },
      isError: true,
    };
  }
  const data = { mesh: result.mesh, ...shape(result.output) };
  return { text: jsonText(data), data };
}
