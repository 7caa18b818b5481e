/** Turns a JSON Schema (as zod writes it) into the rows of a table of fields. */

/** The part of JSON Schema that our contracts use. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly default?: unknown;
}

/** One field; nested fields carry their path, `groups[].name`. */
export interface SchemaRow {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

/** Longer patterns say less than the field's description does. */
const SHOWN_PATTERN_LENGTH = 72;

function elementOf(schema: JsonSchema): JsonSchema | undefined {
  const { items } = schema;
  return items !== undefined && !Array.isArray(items) ? items as JsonSchema : undefined;
}

function bounds(schema: JsonSchema): string {
  const found: string[] = [];
  const least = schema.minLength ?? schema.minItems ?? schema.minimum;
  const most = schema.maxLength ?? schema.maxItems ?? schema.maximum;
  const unit = schema.type === "string" ? " characters" : schema.type === "array" ? " entries" : "";
  const unbounded = most === undefined || most >= Number.MAX_SAFE_INTEGER;
  if (schema.exclusiveMinimum !== undefined) found.push(`more than ${schema.exclusiveMinimum}`);
  if (least !== undefined && least > 0 && !unbounded) found.push(`${least} to ${most}${unit}`);
  else if (!unbounded) found.push(`at most ${most}${unit}`);
  else if (least !== undefined && least > -Number.MAX_SAFE_INTEGER) {
    found.push(`at least ${least}${unit}`);
  }
  if (schema.pattern !== undefined && schema.pattern.length <= SHOWN_PATTERN_LENGTH) {
    found.push(`\`${schema.pattern}\``);
  }
  if (schema.default !== undefined) found.push(`default \`${JSON.stringify(schema.default)}\``);
  return found.length === 0 ? "" : `, ${found.join(", ")}`;
}

/** The type of a value in words: `string, at most 64 characters`, `"now" or "next"`, `list of object`. */
export function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(" or ");
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return choices.map(typeText).join(" or ");
  if (schema.type === undefined) return "any JSON value";
  if (typeof schema.type !== "string") return schema.type.join(" or ");
  const element = elementOf(schema);
  if (schema.type === "array" && element !== undefined) {
    return `list of ${typeText(element)}${bounds(schema)}`;
  }
  const values = schema.additionalProperties;
  if (schema.type === "object" && schema.properties === undefined && typeof values === "object") {
    return `map of ${typeText(values)}`;
  }
  return `${schema.type}${bounds(schema)}`;
}

/** The object whose fields stand below a field, and what its path gets for it (`[]` of a list). */
function inner(schema: JsonSchema): { schema: JsonSchema; suffix: string } | undefined {
  if (schema.properties !== undefined) return { schema, suffix: "" };
  const element = elementOf(schema);
  if (element !== undefined) {
    const found = inner(element);
    return found && { schema: found.schema, suffix: `[]${found.suffix}` };
  }
  const objects = (schema.anyOf ?? schema.oneOf ?? []).map(inner).filter((each) => each);
  return objects.length === 1 ? objects[0] : undefined;
}

/** Rows of all fields of an object schema, depth first; none for an object without fields. */
export function schemaRows(schema: JsonSchema, prefix = ""): SchemaRow[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    const below = inner(field);
    return [
      {
        name,
        type: typeText(field),
        required: required.has(key),
        description: field.description ?? "",
      },
      ...(below === undefined ? [] : schemaRows(below.schema, `${name}${below.suffix}.`)),
    ];
  });
}
