/**
 * Keeps answers within what hosts let through (25,000 tokens): lists are cut at a row, with a marker and the offset at
 * which to read on.
 */

/** Bytes of one form of an answer; well under 25,000 tokens in any script. */
export const ANSWER_BYTES = 30_000;

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Where to read on; null when this was the end. */
  readonly nextOffset: number | null;
  readonly total: number;
}

const encoder = new TextEncoder();

/** Returns how many bytes `text` takes. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Returns the rows of `all` from `offset` on that fit `budgetBytes` as JSON, at least one while there is one.
 */
export function pageOf<Row>(all: readonly Row[], offset: number, budgetBytes: number): Page<Row> {
  const rows: Row[] = [];
  let left = budgetBytes;
  for (const row of all.slice(offset)) {
    left -= byteLength(JSON.stringify(row)) + 1;
    if (left < 0 && rows.length > 0) break;
    rows.push(row);
  }
  const end = offset + rows.length;
  return { rows, nextOffset: end < all.length ? end : null, total: all.length };
}

/** Returns `text` within `budgetBytes`, cut at a character and marked where it was longer. */
export function cutText(text: string, budgetBytes: number): string {
  if (byteLength(text) <= budgetBytes) return text;
  const marker = "\n[cut: the answer is longer than hosts let through]";
  const bytes = encoder.encode(text).subarray(0, budgetBytes - byteLength(marker));
  return new TextDecoder().decode(bytes).replace(/\ufffd+$/, "") + marker;
}

/** Returns the line that tells how to read on, empty at the end of the list. */
export function pageMarker(page: Page<unknown>): string {
  if (page.nextOffset === null) return "";
  return `\n[${page.nextOffset} of ${page.total} shown; call again with offset: ${page.nextOffset}]`;
}

/** Returns `data` as text: with a line for each field where that fits, else without. */
export function jsonText(data: unknown): string {
  const readable = JSON.stringify(data, null, 1);
  return byteLength(readable) <= ANSWER_BYTES ? readable : JSON.stringify(data);
}

/** Returns a row as it is, or the begin of its JSON when that is longer than `budgetBytes`. */
export function cutRow<Row>(row: Row, budgetBytes: number): Row | { cut: string } {
  const text = JSON.stringify(row);
  return byteLength(text) <= budgetBytes ? row : { cut: cutText(text, budgetBytes / 2) };
}

/** Where a page begins, and how much fits on it. */
export interface Paging {
  /** Rows of the output's longest list, or characters of its longest text, that are left out. */
  readonly offset: number;
  /** Rows that the operation has left out already; what is said of the rest counts them. */
  readonly skipped?: number;
  readonly budgetBytes: number;
}

/**
 * Shortens what takes most of `output` to what fits, and says so in the output: lists by rows, texts by characters.
 * Which part that is does not depend on the offset, so that reading on goes on in it.
 */
export function pagedOutput(
  output: Readonly<Record<string, unknown>>,
  { offset, skipped = 0, budgetBytes }: Paging,
): Record<string, unknown> {
  if (offset === 0 && byteLength(JSON.stringify(output)) <= budgetBytes) return { ...output };
  const { part, nextOffset, total } = partOf(output, offset, budgetBytes);
  const shown = typeof part === "string" ? { cut: part } : { ...part as object };
  if (nextOffset === null) return shown;
  return { ...shown, nextOffset: skipped + nextOffset, total: skipped + total };
}

interface Part {
  readonly part: unknown;
  readonly nextOffset: number | null;
  /** Rows, or characters. */
  readonly total: number;
}

function partOf(whole: unknown, offset: number, budgetBytes: number): Part {
  if (typeof whole === "string") return partOfText(whole, offset, budgetBytes);
  if (Array.isArray(whole)) return partOfList(whole, offset, budgetBytes);
  if (typeof whole !== "object" || whole === null) {
    return { part: whole, nextOffset: null, total: 1 };
  }
  const sizes = Object.entries(whole).map(([name, value]) => ({ name, value, bytes: size(value) }));
  const [largest] = sizes.sort((a, b) => b.bytes - a.bytes);
  if (largest === undefined) return { part: whole, nextOffset: null, total: 0 };
  const { name, value, bytes } = largest;
  const left = budgetBytes - (size(whole) - bytes);
  // Much of it lies in many small fields: none of them is the one to be shortened.
  if (left < budgetBytes / 2) return partOfText(JSON.stringify(whole), offset, budgetBytes);
  const inner = partOf(value, offset, left);
  return { ...inner, part: { ...whole, [name]: inner.part } };
}

function partOfList(rows: readonly unknown[], offset: number, budgetBytes: number): Part {
  if (rows.length === 1 && size(rows) > budgetBytes) {
    const inner = partOf(rows[0], offset, budgetBytes - 2);
    return { ...inner, part: [inner.part] };
  }
  const page = pageOf(rows, offset, budgetBytes - 2);
  const part = page.rows.map((row) => cutRow(row, budgetBytes - 2));
  return { part, nextOffset: page.nextOffset, total: page.total };
}

function partOfText(text: string, offset: number, budgetBytes: number): Part {
  let part = text.slice(offset, offset + budgetBytes);
  for (let bytes = size(part); bytes > budgetBytes && part.length > 1; bytes = size(part)) {
    part = part.slice(0, Math.max(1, Math.floor(part.length * budgetBytes / bytes)));
  }
  // A character of two halves is not torn apart.
  if (part.length > 1 && /[\ud800-\udbff]$/.test(part)) part = part.slice(0, -1);
  const end = offset + part.length;
  return { part, nextOffset: end < text.length ? end : null, total: text.length };
}

function size(value: unknown): number {
  return byteLength(JSON.stringify(value) ?? "");
}
