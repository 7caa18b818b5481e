/**
 * Text that the store can keep: PostgreSQL has neither NUL characters nor halves of surrogate pairs, and one such text
 * would spoil a whole commit.
 */

/** Returns whether every string in `value`, keys included, can be stored; `value` comes from JSON. */
export function isStorable(value: unknown): boolean {
  if (typeof value === "string") return !value.includes("\0") && value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isStorable);
  for (const [key, each] of Object.entries(value)) {
    if (!isStorable(key) || !isStorable(each)) return false;
  }
  return true;
}
