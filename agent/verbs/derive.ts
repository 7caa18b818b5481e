/**
 * Verbs derived from operations: positionals, flags and their types come from the input's schema, the answer from the
 * output, so that an operation with a `verb` needs no file here.
 */
import * as z from "zod";
import type { Op } from "../../broker/api/op.ts";
import { LocalError } from "../core/local_error.ts";
import { marks, printable } from "../ui/style.ts";
import { describe } from "../ui/text.ts";
import { callOne } from "./people.ts";
import { type Flag, MESH_FLAG, type Verb } from "./verb.ts";

interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly items?: { readonly type?: string };
}

interface Field {
  readonly name: string;
  readonly schema: FieldSchema;
  readonly required: boolean;
}

function fieldsOf(op: Op): Field[] {
  const schema = z.toJSONSchema(op.input, { io: "input" }) as {
    properties?: Record<string, FieldSchema>;
    required?: readonly string[];
  };
  return Object.entries(schema.properties ?? {}).map(([name, field]) => ({
    name,
    schema: field,
    required: schema.required?.includes(name) ?? false,
  }));
}

/** `messageId` -> `message-id`, as flags are written. */
function dashed(name: string): string {
  return name.replaceAll("_", "-").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function flagOf(field: Field): Flag {
  const { type, description = field.name, enum: choices } = field.schema;
  const shape = type === "array" ? "a,b" : type === "boolean" ? "true|false" : "value";
  const summary = description.replace(/\.$/, "");
  return {
    syntax: `--${dashed(field.name)} <${shape}>`,
    summary: `${summary[0]!.toLowerCase()}${summary.slice(1)}`,
    ...(choices ? { choices } : {}),
  };
}

/** Turns the text of a flag or argument into what the field's schema says. */
function convert(field: Field, text: string): unknown {
  switch (field.schema.type) {
    case "integer":
    case "number":
      if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
      throw wrong(field, text, "a number");
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw wrong(field, text, "true or false");
    case "array":
      return text.split(",").map((each) => each.trim()).filter((each) => each !== "")
        .map((each) => convert(itemOf(field), each));
    case "object":
      try {
        return JSON.parse(text);
      } catch {
        throw wrong(field, text, "JSON");
      }
    case undefined:
      return jsonOrText(text);
    default:
      return text;
  }
}

/** One of a list, as a field of its own. */
function itemOf({ name, schema, required }: Field): Field {
  const { items, description = name } = schema;
  return { name, schema: { type: items?.type ?? "string", description }, required };
}

/** What a field of any type is given on the command line: JSON where it is that, else a text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function wrong(field: Field, text: string, expected: string): LocalError {
  return new LocalError("invalid_argument", `"${text}" is not ${expected}`, {
    exit: 3,
    hint: `${dashed(field.name)}: ${field.schema.description ?? expected}`,
  });
}

function camel(name: string): string {
  return dashed(name).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A list that is somebody's value is shown as such, not as a list of answers. */
function withValues(op: Op, told: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(told).map(([name, value]) => {
      const isValue = op.output.shape[name] instanceof z.ZodUnknown && Array.isArray(value);
      return [name, isValue ? JSON.stringify(value) : value];
    }),
  );
}

/** Makes the verb that an operation declares. */
export function deriveVerb(op: Op): Verb {
  const spec = op.verb!;
  const fields = fieldsOf(op);
  const positionals = spec.positionals.map((name) => fields.find((field) => field.name === name)!);
  const flags = fields.filter((field) => !spec.positionals.includes(field.name));
  return {
    path: spec.path,
    summary: op.summary.replace(/\.$/, ""),
    args: positionals.map((field, index) => ({
      name: dashed(field.name),
      summary: field.schema.description ?? field.name,
      required: field.required || field.schema.type !== "array",
      ...(index === positionals.length - 1 && field.schema.type === "string" &&
          !field.schema.enum
        ? { variadic: true as const }
        : {}),
    })),
    flags: [MESH_FLAG, ...flags.map(flagOf)],
    examples: spec.examples,
    json: true,
    async run(context) {
      const input: Record<string, unknown> = {};
      positionals.forEach((field, index) => {
        const value = context.args[index];
        if (value === undefined || value.length === 0) return;
        input[field.name] = convert(
          field,
          Array.isArray(value) ? value.join(" ") : value as string,
        );
      });
      for (const field of flags) {
        const value = context.flags[camel(field.name)];
        if (typeof value === "string") input[field.name] = convert(field, value);
      }
      const { mesh, output } = await callOne(await context.agent(), context, op.wire, input);
      const changes = op.audit !== null || op.quiet === true || op.reply === "ack";
      const done = changes ? `${marks.done()} ${printable(mesh)}\n` : "";
      // An `ack` has the fields of a message's, which say nothing of this.
      const told = op.reply === "ack" ? input : output;
      const isOverview = op.wire.startsWith("list_");
      const text = done + describe(withValues(op, told), isOverview);
      return { data: { mesh, ...told }, text };
    },
  };
}
