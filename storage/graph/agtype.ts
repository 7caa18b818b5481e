/**
 * Reads Apache AGE's text form of values: JSON with marks behind it (`{...}::vertex`, `[...]::path`, `1.5::numeric`) and
 * the floats that JSON has no words for. Format: AGE manual, "Data Types - An Introduction to agtype".
 */
import type { GraphValue } from "./port.ts";

const MAX_DEPTH = 512;
const NUMBER = /-?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|Infinity)|NaN/y;
const MARK = /::([a-z]+)/y;
const WORDS: Readonly<Record<string, null | boolean>> = { null: null, true: true, false: false };

/** @throws {TypeError} when the text is no agtype. */
export function readAgtype(text: string): GraphValue {
  const reader = new AgtypeReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

type Fields = Record<string, GraphValue>;

class AgtypeReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#wrong();
  }

  value(depth: number): GraphValue {
    if (depth > MAX_DEPTH) throw new TypeError("a value is nested too deep");
    this.#space();
    const value = this.#unmarked(depth);
    const mark = this.#match(MARK)?.[1];
    if (mark === undefined || mark === "numeric") return value;
    return marked(mark, value) ?? fail(this.#wrong());
  }

  #unmarked(depth: number): GraphValue {
    switch (this.#text[this.#at]) {
      case "{":
        return this.#map(depth);
      case "[":
        return this.#list(depth);
      case '"':
        return this.#string();
    }
    for (const [word, value] of Object.entries(WORDS)) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return numberOf(this.#match(NUMBER)?.[0] ?? fail(this.#wrong()));
  }

  #map(depth: number): Fields {
    const entries: [string, GraphValue][] = [];
    this.#items("}", () => {
      const key = this.#string();
      this.#space();
      this.#take(":");
      entries.push([key, this.value(depth + 1)]);
    });
    return Object.fromEntries(entries);
  }

  #list(depth: number): GraphValue[] {
    const values: GraphValue[] = [];
    this.#items("]", () => values.push(this.value(depth + 1)));
    return values;
  }

  #items(end: string, item: () => void): void {
    this.#at += 1;
    this.#space();
    while (this.#text[this.#at] !== end) {
      item();
      this.#space();
      if (this.#text[this.#at] !== ",") break;
      this.#at += 1;
      this.#space();
    }
    this.#take(end);
  }

  #string(): string {
    const start = this.#at;
    this.#take('"');
    while (this.#at < this.#text.length && this.#text[this.#at] !== '"') {
      this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    }
    this.#take('"');
    // AGE leaves control characters as they are, which JSON does not allow.
    const json = this.#text.slice(start, this.#at).replace(
      // deno-lint-ignore no-control-regex -- they are what is looked for
      /[\u0000-\u001f]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    return JSON.parse(json);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at += match[0].length;
    return match;
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }

  #take(expected: string): void {
    if (this.#text[this.#at] !== expected) throw this.#wrong();
    this.#at += 1;
  }

  #wrong(): TypeError {
    return new TypeError(`no agtype at character ${this.#at}`);
  }
}

/** A number that keeps all its digits, else their text. */
function numberOf(text: string): number | string {
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  if (/^-?\d+$/.test(text) && !Number.isSafeInteger(value)) return text;
  return value;
}

function marked(mark: string, value: GraphValue): GraphValue | undefined {
  if (mark === "path" && Array.isArray(value)) {
    return {
      nodes: value.filter((_, index) => index % 2 === 0),
      relationships: value.filter((_, index) => index % 2 === 1),
    };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { id, label, properties = {}, start_id, end_id } = value as Fields;
  if (mark === "vertex") {
    return { id: String(id), labels: label === "" ? [] : [label!], properties };
  }
  if (mark === "edge") {
    return {
      id: String(id),
      type: label!,
      start: String(start_id),
      end: String(end_id),
      properties,
    };
  }
  return undefined;
}

function fail(error: Error): never {
  throw error;
}
