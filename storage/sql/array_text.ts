/**
 * PostgreSQL's text form of arrays, both ways: `{1,NULL,"a \"b\""}` (PostgreSQL manual, 8.15.6).
 */

/**
 * Writes an array literal.
 * @param items the elements; arrays inside become further dimensions.
 * @param encode an element's own text form, unquoted; null for NULL.
 */
export function encodeArray(
  items: readonly unknown[],
  encode: (item: unknown) => string | null,
): string {
  // Most arrays are of numbers.
  if (items.every(isNumber)) return `{${items.join(",")}}`;
  const texts = new Array<string>(items.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (typeof item === "string") {
      texts[index] = quoted(item);
      continue;
    }
    if (Array.isArray(item)) {
      texts[index] = encodeArray(item, encode);
      continue;
    }
    const encoded = encode(item);
    texts[index] = encoded === null ? "NULL" : typeof item === "number" ? encoded : quoted(encoded);
  }
  return `{${texts.join(",")}}`;
}

function isNumber(item: unknown): item is number {
  return typeof item === "number";
}

function quoted(text: string): string {
  const plain = !text.includes('"') && !text.includes("\\");
  return `"${plain ? text : text.replace(/["\\]/g, "\\$&")}"`;
}

/**
 * Reads an array literal as PostgreSQL writes it.
 * @param text the literal; explicit bounds (`[0:1]={..}`) are skipped.
 * @param decode an element's value from its text.
 * @returns the elements; null for NULL, arrays for further dimensions.
 */
export function decodeArray(text: string, decode: (item: string) => unknown): unknown[] {
  const start = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  return readArray(text, start, decode).items;
}

function readArray(
  text: string,
  start: number,
  decode: (item: string) => unknown,
): { items: unknown[]; end: number } {
  const items: unknown[] = [];
  let at = start + 1;
  while (at < text.length) {
    const character = text[at];
    if (character === "}") return { items, end: at + 1 };
    if (character === ",") {
      at++;
    } else if (character === "{") {
      const inner = readArray(text, at, decode);
      items.push(inner.items);
      at = inner.end;
    } else if (character === '"') {
      const end = closingQuote(text, at + 1);
      const raw = text.slice(at + 1, end);
      items.push(decode(raw.includes("\\") ? raw.replace(/\\([\s\S])/g, "$1") : raw));
      at = end + 1;
    } else {
      const end = itemEnd(text, at);
      const raw = text.slice(at, end);
      items.push(raw === "NULL" ? null : decode(raw));
      at = end;
    }
  }
  throw new SyntaxError("an array literal ended before its closing brace");
}

function closingQuote(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function itemEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "," && text[at] !== "}") at++;
  return at;
}
