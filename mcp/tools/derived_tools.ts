/**
 * Tools that are one operation each, made from the operations' declarations.
 */
import * as z from "zod";
import { ops } from "../../broker/api/catalog.ts";
import type { Op, ToolSpec } from "../../broker/api/op.ts";
import type { CallResult } from "../../agent/core/local_types.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import { meshParameter, offsetParameter } from "./mesh_parameter.ts";
import { ANSWER_BYTES, jsonText, pagedOutput, type Paging } from "./page.ts";
import { type Tool, tool, type ToolAnswer } from "./tool.ts";
import { errorData, errorLine } from "./tool_error.ts";

type ToolOp = Op & { readonly tool: ToolSpec };

/** Tool parameters: the operation's fields, renamed or hidden as declared; `mesh`, and `offset` for what is read. */
function parametersOf(op: ToolOp): z.ZodObject {
  const { rename = {}, hide = [] } = op.tool;
  const shownAs = new Map(Object.entries(rename).map(([shown, field]) => [field, shown]));
  const shape: Record<string, z.ZodType> = {};
  for (const [field, schema] of Object.entries(op.input.shape)) {
    if (!hide.includes(field)) shape[shownAs.get(field) ?? field] = parameterOf(op, field, schema);
  }
  shape.mesh ??= meshParameter;
  if (op.tool.readOnly === true) shape.offset ??= offsetParameter;
  return z.object(shape);
}

/** What the verb takes as an argument, the tool requires, though old clients may leave it out of the frame. */
function parameterOf(op: ToolOp, field: string, schema: unknown): z.ZodType {
  const isArgument = op.verb?.positionals.includes(field) ?? false;
  if (!isArgument || !(schema instanceof z.ZodDefault)) return schema as z.ZodType;
  return (schema.unwrap() as z.ZodType).describe(schema.description ?? "");
}

function inputOf(op: ToolOp, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { rename = {} } = op.tool;
  const entries = Object.entries(given)
    .map(([name, value]) => [rename[name] ?? name, value] as const)
    .filter(([name, value]) => name in op.input.shape && value !== undefined);
  return Object.fromEntries(entries);
}

function lineOf(result: CallResult): string {
  if (!result.ok) return `${result.mesh}: ✗ ${errorLine(result.error)}`;
  return `${result.mesh}: ✓ ${JSON.stringify(result.output)}`;
}

/**
 * What fits of an output. What changes something is not to be called once more for the rest of its answer, so no offset
 * is told of it.
 */
function fitting(op: ToolOp, output: Record<string, unknown>, paging: Paging) {
  // The operation's own `next` lies behind what was cut here: it would skip that.
  const { next, ...paged } = pagedOutput(output, paging);
  if (typeof paged.nextOffset !== "number") {
    return { ...paged, ...("next" in output ? { next } : {}) };
  }
  if (op.tool.readOnly === true) return paged;
  const { nextOffset: _, total: __, ...begin } = paged;
  return { ...begin, note: "It was done; cut: its answer is longer than hosts let through." };
}

function shown(op: ToolOp, results: readonly CallResult[], paging: Paging): ToolAnswer {
  const budgetBytes = Math.floor(paging.budgetBytes / results.length);
  const paged = results.map((result) =>
    result.ok
      ? { ...result, output: fitting(op, result.output, { ...paging, budgetBytes }) }
      : result
  );
  const failed = results.filter((result) => !result.ok).length;
  const rows = paged.map((result) =>
    result.ok ? result : { ...result, error: errorData(result.error) }
  );
  return {
    text: paged.map(lineOf).join("\n"),
    data: { ok: failed === 0, results: rows },
    ...(failed === results.length ? { isError: true } : {}),
  };
}

/** What one answer of an operation on one mesh looks like; its fields stand at the top. */
function shownOne(op: ToolOp, result: CallResult | undefined, paging: Paging): ToolAnswer {
  if (result === undefined) throw new LocalError("not_joined", "No mesh is joined");
  if (!result.ok) {
    return {
      text: `Error: ${errorLine(result.error)}`,
      data: { ok: false, mesh: result.mesh, error: errorData(result.error) },
      isError: true,
    };
  }
  const data = { mesh: result.mesh, ...fitting(op, result.output, paging) };
  return { text: jsonText(data), data };
}

function derivedTool(op: ToolOp): Tool {
  const { name, description, reach } = op.tool;
  return tool({
    name,
    description,
    readOnly: op.tool.readOnly === true,
    input: parametersOf(op),
    async call(context, given) {
      // An operation that takes an offset itself has left those rows out already.
      const isOwn = (op.tool.rename?.offset ?? "offset") in op.input.shape;
      const skipped = isOwn ? Number(given.offset ?? 0) : 0;
      const offset = typeof given.offset === "number" ? given.offset : 0;
      const mesh = typeof given.mesh === "string" ? { mesh: given.mesh } : {};
      const input = inputOf(op, given);
      const { results } = await context.call("call", {
        ...mesh,
        wire: op.wire,
        input,
        sessionId: context.sessionId,
        every: reach === "every",
      });
      const told = op.reply === "ack" ? results.map((each) => echoed(each, input)) : results;
      const paging = { offset: offset - skipped, skipped, budgetBytes: ANSWER_BYTES };
      return reach === "every" ? shown(op, told, paging) : shownOne(op, told[0], paging);
    },
  });
}

/** An `ack` has the fields of a message's, which say nothing of this: what was set says more. */
function echoed(result: CallResult, input: Record<string, unknown>): CallResult {
  return result.ok ? { ...result, output: input } : result;
}

/** Returns the tools of all operations that declare one. */
export function derivedTools(): Tool[] {
  return ops.filter((op): op is ToolOp => op.tool !== undefined).map(derivedTool);
}
