/**
 * `list_tasks`: the tasks of a mesh, or one of them in full.
 */
import * as z from "zod";
import { tasks } from "../../broker/api/tasks.ts";
import { answerOf } from "./answer_of.ts";
import { meshParameter, offsetParameter } from "./mesh_parameter.ts";
import { ANSWER_BYTES, pageOf } from "./page.ts";
import { tool } from "./tool.ts";

/** Of each long text, per answer; two of them stay within an answer in any script. */
const PIECE_CHARS = 4_000;

const { shape } = tasks.listTasks.input;

/** One task, its long texts from `offset` on. */
function piecesOf(task: Record<string, unknown>, offset: number): Record<string, unknown> {
  const texts = [task.description, task.result].map((text) => typeof text === "string" ? text : "");
  const [description, result] = texts.map((text) => text.slice(offset, offset + PIECE_CHARS));
  const nextOffset = offset + PIECE_CHARS;
  const isCut = texts.some((text) => text.length > nextOffset);
  return { ...task, description, result, ...(isCut ? { nextOffset } : {}) };
}

/** A list as far as an answer holds it. */
function pageFrom(output: Record<string, unknown>, offset: number): Record<string, unknown> {
  const { rows, nextOffset } = pageOf(output.tasks as unknown[], 0, ANSWER_BYTES - 1_000);
  const more = nextOffset !== null || output.more === true;
  return { tasks: rows, ...(more ? { nextOffset: offset + rows.length } : {}) };
}

export const listTasks = tool({
  name: "list_tasks",
  description:
    "List tasks, the most important first, by state, person or tag; claimable: true shows what you could take now. " +
    "With `id`, show that one in full.",
  readOnly: true,
  input: z.object({
    status: z.enum(["open", "claimed", "completed"]).optional().describe(
      "Only tasks in this state.",
    ),
    assignee: shape.assignee.describe("Only tasks of this peer or @group."),
    tag: shape.tag,
    claimable: z.boolean().optional().describe("Only what you can claim now."),
    id: tasks.getTask.input.shape.taskId.optional().describe("Show this task with its result."),
    mesh: meshParameter,
    offset: offsetParameter,
  }),
  async call(context, { mesh, id, offset = 0, ...filter }) {
    const given = Object.entries({ ...filter, offset }).filter(([, value]) => value !== undefined);
    const { results } = await context.call("call", {
      ...(mesh === undefined ? {} : { mesh }),
      sessionId: context.sessionId,
      ...(id === undefined
        ? { wire: tasks.listTasks.wire, input: Object.fromEntries(given) }
        : { wire: tasks.getTask.wire, input: { taskId: id } }),
    });
    return answerOf(
      results,
      (output) => id === undefined ? pageFrom(output, offset) : piecesOf(output, offset),
    );
  },
});
