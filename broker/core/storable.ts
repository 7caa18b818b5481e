/**
 * Text that the store can keep: PostgreSQL has neither NUL characters nor halves of surrogate pairs, and one such text
 * would spoil a whole commit.
 */

/** Returns whether every string in `value`, keys included, can be stored; `value` comes from JSON. */
export function isStorable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return isKept(value);
  // No recursion: what strangers send may be nested deeper than the stack.
  const open: object[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const [key, each] of Object.entries(next)) {
      if (!isKept(key) || !isKept(each)) return false;
      if (typeof each === "object" && each !== null) open.push(each);
    }
  }
  return true;
}

function isKept(value: unknown): boolean {
  return typeof value !== "string" || (!value.includes("\0") && value.isWellFormed());
}
