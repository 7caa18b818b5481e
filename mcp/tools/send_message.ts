/**
 * `send_message`: one text to one or more recipients, with a line for each that says what became of it.
 */
import * as z from "zod";
import { priority } from "../../broker/api/fields.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import type { DeliveryResult } from "../../agent/core/local_types.ts";
import { meshParameter } from "./mesh_parameter.ts";
import { tool } from "./tool.ts";
import { errorData, errorLine } from "./tool_error.ts";

const recipient = z.string().min(1).max(600);

function lineOf(result: DeliveryResult): string {
  const where = result.mesh === null ? result.to : `${result.to} (${result.mesh})`;
  if (!result.ok) return `✗ ${where}: ${errorLine(result.error)}`;
  if (result.state === "queued_locally") {
    const why = [result.reason, result.hint].filter((each) => each !== null).join("; ");
    return `✓ ${where}: queued on this machine, goes out when the broker is reached ` +
      `(${result.clientMessageId})${why === "" ? "" : `. Now: ${why}`}`;
  }
  return `✓ ${where}: ${result.messageId} to ${result.recipients} recipient${
    result.recipients === 1 ? "" : "s"
  }`;
}

export const sendMessage = tool({
  name: "send_message",
  description:
    "Send one text message to peers. `to` takes a display name, a public key or its unambiguous prefix, @group, " +
    "* for everyone, or a list of these; with several meshes write slug:name. Offline members get it later.",
  readOnly: false,
  input: z.object({
    to: z.union([recipient, z.array(recipient).min(1).max(64)]).describe(
      "One recipient or a list; a list is de-duplicated after resolution.",
    ),
    message: z.string().min(1).max(LIMITS.messageBytes.value).describe("Body, plain text."),
    priority: priority.optional().describe(
      "now interrupts at once, even dnd; next (default) waits until the recipient is idle; low never interrupts.",
    ),
    reply_to: z.string().max(64).optional().describe("Id of the message that this one answers."),
    mesh: meshParameter,
  }),
  async call(context, { to, message, priority, reply_to, mesh }) {
    const { results } = await context.call("send", {
      to: typeof to === "string" ? [to] : to,
      body: message,
      sessionId: context.sessionId,
      ...(priority === undefined ? {} : { priority }),
      ...(reply_to === undefined ? {} : { replyTo: reply_to }),
      ...(mesh === undefined ? {} : { mesh }),
    });
    const failed = results.filter((result) => !result.ok).length;
    const rows = results.map((each) => each.ok ? each : { ...each, error: errorData(each.error) });
    return {
      text: results.map(lineOf).join("\n"),
      data: { ok: failed === 0, results: rows },
      ...(failed === results.length ? { isError: true } : {}),
    };
  },
});
