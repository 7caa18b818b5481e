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

/** Where a page begins, and how much fits on it. */
export interface Paging {
  /** Rows of the output's list that are left out. */
  readonly offset: number;
  /** Rows that the operation has left out already; what is said of the rest counts them. */
  readonly skipped?: number;
  readonly budgetBytes: number;
}

/** Shortens the longest list of `output` to what fits, and says so in the output. */
export function pagedOutput(
  output: Readonly<Record<string, unknown>>,
  { offset, skipped = 0, budgetBytes }: Paging,
): Record<string, unknown> {
  const lists = Object.entries(output).filter((entry): entry is [string, unknown[]] =>
    Array.isArray(entry[1])
  );
  const [longest] = lists.sort((a, b) => b[1].length - a[1].length);
  if (longest === undefined) return { ...output };
  const [name, rows] = longest;
  const rest = byteLength(JSON.stringify({ ...output, [name]: [] }));
  const page = pageOf(rows, offset, budgetBytes - rest);
  const cut = page.nextOffset === null
    ? {}
    : { nextOffset: skipped + page.nextOffset, total: skipped + page.total };
  return { ...output, [name]: page.rows, ...cut };
}
