/**
 * `complete_task`: ends this session's work on a task, done or not.
 */
import * as z from "zod";
import { tasks } from "../../broker/api/tasks.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { answerOf } from "./answer_of.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool } from "./tool.ts";

const OPERATIONS = {
  completed: tasks.completeTask,
  released: tasks.releaseTask,
  cancelled: tasks.cancelTask,
} as const;

export const completeTask = tool({
  name: "complete_task",
  description:
    "Close a task you hold, with its result. outcome: released gives it back to the list, cancelled drops one you made.",
  readOnly: false,
  input: z.object({
    id: tasks.completeTask.input.shape.taskId,
    result: tasks.completeTask.input.shape.result.describe(
      "What came of it; for another outcome the reason, up to 500 characters.",
    ),
    outcome: z.enum(["completed", "released", "cancelled"]).optional().describe(
      "completed unless given.",
    ),
    mesh: meshParameter,
  }),
  async call(context, { id, result, outcome = "completed", mesh }) {
    const text = outcome === "completed" ? { result } : { reason: result };
    if (outcome !== "completed" && (result?.length ?? 0) > 500) {
      throw new LocalError("invalid_argument", "result: a reason has at most 500 characters");
    }
    const { results } = await context.call("call", {
      ...(mesh === undefined ? {} : { mesh }),
      wire: OPERATIONS[outcome].wire,
      input: { taskId: id, ...(result === undefined ? {} : text) },
      sessionId: context.sessionId,
    });
    return answerOf(results, (output) => output);
  },
});
