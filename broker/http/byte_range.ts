/**
 * The `Range` header (RFC 9110, 14.1): one range of bytes.
 */

/** The part that is asked for, inside the whole. */
export interface ChosenRange {
  readonly from: number;
  readonly length: number;
}

/**
 * Reads a `Range` header for a body of `sizeBytes`.
 * @returns null when the whole is meant: there is no header, or one of a kind that may be ignored (another unit,
 *   several ranges); "outside" when nothing of the range is there.
 */
export function chosenRange(
  header: string | null,
  sizeBytes: number,
): ChosenRange | "outside" | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return null;
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? "outside" : { from: sizeBytes - length, length };
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return null;
  if (from >= sizeBytes) return "outside";
  const end = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return { from, length: end - from };
}
