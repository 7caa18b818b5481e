/** Writes the reference of the wire from the contract: operations, events, errors, limits, revisions. */
import * as z from "zod";
import type { ErrorSpec } from "../broker/api/errors.ts";
import type { EventSpec } from "../broker/api/event.ts";
import type { LimitSpec } from "../broker/api/limits.ts";
import type { Op } from "../broker/api/op.ts";
import { code, GENERATED_MARK, jsonBlock, page, table } from "./markdown.ts";
import { type JsonSchema, schemaRows } from "./schema_rows.ts";

/** All that the page is made from. */
export interface ProtocolSource {
  /** The handshake's frames, by name. */
  readonly handshake: Readonly<Record<string, z.ZodObject>>;
  /** Feature -> its operations. */
  readonly features: Readonly<Record<string, readonly Op[]>>;
  readonly events: readonly EventSpec[];
  readonly errors: Readonly<Record<string, ErrorSpec>>;
  readonly commonFails: readonly string[];
  readonly limits: Readonly<Record<string, LimitSpec>>;
  readonly revisions: readonly { revision: number; date: string; summary: string }[];
}

const INTRODUCTION =
  `Peer and broker exchange JSON objects as WebSocket text frames on \`/ws\`. A frame's
\`type\` names the operation or the event. A request may carry \`_reqId\`; its answer, a reply or an \`error\`, carries
the same \`_reqId\`, and there is exactly one. Fields that a side does not know are ignored.`;

const ERROR_FRAME =
  `A refused request is answered with \`error\`: \`code\` is one of the table below, \`message\` says
what to do next, and \`limit\`, \`retry_after_ms\`, \`candidates\`, \`field\` and \`reference\` stand there where they help.
\`reference\` names the line in the broker's log that holds the cause of an \`internal\` error.`;

function fields(schema: z.ZodType, io: "input" | "output"): string {
  const rows = schemaRows(z.toJSONSchema(schema, { io, reused: "inline" }) as JsonSchema);
  return table(
    ["field", "type", "required", "meaning"],
    rows.map((row) => [code(row.name), row.type, row.required ? "yes" : "no", row.description]),
  );
}

function surfaces(op: Op): string {
  const verb = op.verb && `verb ${code(`claudemesh ${op.verb.path}`)}`;
  const tool = op.tool && `tool ${code(op.tool.name)}`;
  return [verb, tool].filter((text) => text !== undefined).join(", ");
}

function facts(op: Op): string {
  const offered = surfaces(op);
  return [
    `Since revision ${op.since}. For: ${op.grant}. Rate class: ${op.rate}.`,
    op.audit === null ? "Changes nothing." : `Audited as ${code(op.audit)}.`,
    op.quiet ? `Without ${code("_reqId")} a success is not answered.` : "",
    offered === "" ? "" : `Offered as ${offered}.`,
  ].filter((text) => text !== "").join(" ");
}

function operation(op: Op): string[] {
  const input = fields(op.input, "input");
  const output = fields(op.output, "output");
  const fails = op.fails.map(code).join(", ");
  return [
    `### ${code(op.wire)}`,
    op.summary,
    facts(op),
    input === "" ? "The request has no fields." : `Request ${code(op.wire)}:`,
    input,
    output === "" ? `The reply ${code(op.reply)} has no fields.` : `Reply ${code(op.reply)}:`,
    output,
    fails === "" ? "" : `Fails with ${fails}, beside the common codes.`,
    "Example:",
    jsonBlock({ type: op.wire, _reqId: "1", ...op.example.input }),
    jsonBlock({ type: op.reply, _reqId: "1", ...op.example.output }),
  ];
}

function eventFrame(event: EventSpec): unknown {
  if (event.name === null) return { type: event.wire, ...event.example };
  return { type: event.wire, subtype: "system", event: event.name, eventData: event.example };
}

function eventBlocks(event: EventSpec): string[] {
  const rows = fields(event.data, "output");
  const where = event.name === null ? "Fields:" : `Fields of ${code("eventData")}:`;
  return [
    `### ${code(event.name ?? event.wire)}`,
    `${event.summary} Since revision ${event.since}.`,
    rows === "" ? "It has no fields." : where,
    rows,
    jsonBlock(eventFrame(event)),
  ];
}

function errorTable(source: ProtocolSource): string {
  return table(
    ["code", "meaning", "HTTP status", "exit code", "same request may succeed later"],
    Object.entries(source.errors).map(([name, spec]) => [
      code(name),
      spec.summary,
      String(spec.http),
      String(spec.exit),
      spec.retry ? "yes" : "no",
    ]),
  );
}

function limitTable(source: ProtocolSource): string {
  return table(
    ["limit", "value", "of", "operator's variable"],
    Object.entries(source.limits).map(([name, spec]) => [
      code(name),
      `${spec.value.toLocaleString("en-US")} ${spec.unit}`,
      spec.summary,
      spec.env === undefined ? "" : code(spec.env),
    ]),
  );
}

/** The page as Markdown, not yet formatted. */
export function protocolPage(source: ProtocolSource): string {
  const features = Object.entries(source.features);
  return page([
    GENERATED_MARK,
    "# Protocol",
    INTRODUCTION,
    "## Revisions",
    table(
      ["revision", "date", "change"],
      source.revisions.map((each) => [String(each.revision), each.date, each.summary]),
    ),
    "## Handshake",
    ...Object.entries(source.handshake).flatMap(([name, schema]) => [
      `### ${code(name)}`,
      fields(schema, name.endsWith("_ack") ? "output" : "input"),
    ]),
    ...features.flatMap(([name, ops]) => [
      `## Operations: ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
      ...ops.flatMap(operation),
    ]),
    "## Events",
    ...source.events.flatMap(eventBlocks),
    "## Errors",
    ERROR_FRAME,
    `Any operation may fail with ${source.commonFails.map(code).join(", ")}.`,
    errorTable(source),
    "## Limits",
    limitTable(source),
  ]);
}
