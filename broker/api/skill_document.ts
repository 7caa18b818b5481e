/**
 * A skill as a Markdown file: front matter in a careful subset of YAML, then the instructions. Every value that is
 * written stands on one line in double quotes, so that no text can add a field; what is read never runs anything.
 */

/** A field's value: the others of YAML have no meaning for skills. */
export type DocumentValue = string | boolean | number | readonly string[];

/** A file in its parts. */
export interface SkillDocument {
  /** Field name, in lower case with underscores (`allowed_tools`), to its value. */
  readonly fields: ReadonlyMap<string, DocumentValue>;
  readonly body: string;
}

const FENCE = "---";
const FIELD = /^([A-Za-z][A-Za-z0-9_-]{0,63}):(?:[ \t]+(.*))?$/;
const BLOCK = /^([|>])[+-]?$/;
/** JSON leaves these as they are; in YAML some of them end a line. */
const UNESCAPED = /[\u007f-\u009f\u2028\u2029\ufeff]/g;

/** Writes front matter and body; fields that are undefined or an empty list are left out. */
export function writeSkillDocument(
  fields: Readonly<Record<string, DocumentValue | undefined>>,
  body: string,
): string {
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined || (Array.isArray(value) && value.length === 0)
      ? []
      : [`${name}: ${written(value)}`]
  );
  return [FENCE, ...lines, FENCE, "", body].join("\n");
}

function written(value: DocumentValue): string {
  if (typeof value === "string") return quoted(value);
  return typeof value === "object" ? `[${value.map(quoted).join(", ")}]` : String(value);
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    UNESCAPED,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Reads a file. One without front matter, or whose front matter is not closed, is all body. Nested fields and other
 * things that skills have no use for are passed over.
 */
export function readSkillDocument(text: string): SkillDocument {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n/);
  const end = lines[0]?.trimEnd() === FENCE
    ? lines.findIndex((line, index) => index > 0 && line.trimEnd() === FENCE)
    : -1;
  if (end < 0) return { fields: new Map(), body: text };
  const body = lines.slice(end + 1).join("\n").replace(/^\n+/, "");
  return { fields: readFields(lines.slice(1, end)), body };
}

function readFields(lines: readonly string[]): Map<string, DocumentValue> {
  const fields = new Map<string, DocumentValue>();
  for (let index = 0; index < lines.length; index++) {
    const [, name, rest = ""] = FIELD.exec(lines[index] ?? "") ?? [];
    if (name === undefined) continue;
    // What is indented below a field, or begins with a dash, belongs to it.
    const start = index + 1;
    while (/^(?:[ \t]|-[ \t]|[ \t]*$)/.test(lines[index + 1] ?? "x")) index += 1;
    const value = readValue(rest.trim(), lines.slice(start, index + 1));
    if (value !== null) fields.set(name.toLowerCase().replaceAll("-", "_"), value);
  }
  return fields;
}

/** The value of a field from what stands behind its colon and below it; null for what is not understood. */
function readValue(rest: string, below: readonly string[]): DocumentValue | null {
  const style = BLOCK.exec(rest)?.[1];
  if (style !== undefined) return blockText(below, style === "|");
  const filled = below.map((line) => line.trim()).filter((line) => line !== "");
  if (rest === "" || rest.startsWith("#")) {
    const items = filled.filter((line) => line.startsWith("- "));
    return items.length === filled.length && items.length > 0
      ? items.map((item) => scalarText(item.slice(2).trim()))
      : null;
  }
  if (rest.startsWith("[")) return flowList([rest, ...filled].join(" "));
  if (rest.startsWith("{") || rest.startsWith("&") || rest.startsWith("*")) return null;
  if (/^["']/.test(rest)) return scalarText([rest, ...filled].join(" "));
  const plain = [withoutComment(rest), ...filled].join(" ");
  return plain === "true" || plain === "false" ? plain === "true" : plain;
}

function blockText(below: readonly string[], keepLines: boolean): string {
  const indents = below.filter((line) => line.trim() !== "").map((line) => line.search(/[^ \t]/));
  const indent = Math.min(...indents, 64);
  const lines = below.map((line) => line.slice(indent).trimEnd());
  return lines.join(keepLines ? "\n" : " ").trim();
}

function withoutComment(text: string): string {
  return text.replace(/[ \t]#.*$/, "").trimEnd();
}

/** One item, without its quotes. */
function scalarText(text: string): string {
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (double !== undefined) return unescaped(double);
  const single = /^'((?:[^']|'')*)'/.exec(text)?.[1];
  return single === undefined ? withoutComment(text) : single.replaceAll("''", "'");
}

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code?: string, char?: string) => {
    if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
    return { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" }[char ?? ""] ?? char ?? "";
  });
}

/** The items of `[a, "b, c", d]`. */
function flowList(text: string): string[] {
  const items = text.slice(1).matchAll(
    /[ \t]*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:\([^()\]]*\)|[^,\]"'()])+)[ \t]*(?:,|\]|$)/gy,
  );
  return [...items].map(([, item = ""]) => scalarText(item.trim())).filter((item) => item !== "");
}

/** Splits "Read, Bash(git add:*, git rm:*)" at the commas that stand outside of parentheses. */
export function commaList(text: string): string[] {
  return [...text.matchAll(/(?:\([^()]*\)|[^,()])+/g)].map(([item]) => item.trim())
    .filter((item) => item !== "");
}
