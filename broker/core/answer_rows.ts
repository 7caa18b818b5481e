/**
 * Keeps lists within what a connection takes at once: an answer of many long rows would count as a slow reader's.
 */

/** Bytes of an answer's rows, about; a single row may be longer. */
const ANSWER_BYTES = 524_288;

/** Returns the first of `rows` that make up an answer as JSON, at least one while there is one. */
export function fittingRows<Row>(rows: readonly Row[]): Row[] {
  const fitting: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += new TextEncoder().encode(JSON.stringify(row)).length;
    if (bytes > ANSWER_BYTES && fitting.length > 0) break;
    fitting.push(row);
  }
  return fitting;
}
