/**
 * `claim_task`: takes a task, or keeps one that this session's member holds for longer.
 */
import * as z from "zod";
import { tasks } from "../../broker/api/tasks.ts";
import { answerOf } from "./answer_of.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool } from "./tool.ts";

export const claimTask = tool({
  name: "claim_task",
  description:
    "Take an open task before you begin it: one claimer wins, for an hour. renew: true keeps one you hold for longer.",
  readOnly: false,
  input: z.object({
    id: tasks.claimTask.input.shape.taskId,
    renew: z.boolean().optional().describe("Extend your claim instead."),
    lease_ms: z.int().min(60_000).max(86_400_000).optional().describe(
      "How long the claim holds, counted from now.",
    ),
    mesh: meshParameter,
  }),
  async call(context, { id, renew, lease_ms, mesh }) {
    const { results } = await context.call("call", {
      ...(mesh === undefined ? {} : { mesh }),
      wire: renew === true ? tasks.renewTask.wire : tasks.claimTask.wire,
      input: { taskId: id, ...(lease_ms === undefined ? {} : { leaseMs: lease_ms }) },
      sessionId: context.sessionId,
    });
    return answerOf(results, (output) => output);
  },
});
