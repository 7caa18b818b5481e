/**
 * The one JSON text of a value, to be signed or hashed: keys sorted by UTF-16 code units at every
 * level, no white space, numbers and strings as `JSON.stringify` writes them (RFC 8785's rules).
 */

const MAX_DEPTH = 128;

/**
 * Canonical JSON text of `value`.
 *
 * Throws TypeError on what JSON cannot say exactly: undefined (as a field too), functions, symbols,
 * bigints, NaN and infinities, class instances such as Date, holes in arrays, cycles, and nesting
 * deeper than 128.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`JSON has no number ${value}`);
    return JSON.stringify(value);
  }
  if (typeof value !== "object") throw new TypeError(`JSON has no ${typeof value}`);
  if (depth >= MAX_DEPTH) {
    throw new TypeError(`value is cyclic or nested deeper than ${MAX_DEPTH}`);
  }
  return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = "[";
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ",";
    text += write(items[index], depth + 1);
  }
  return text + "]";
}

function writeObject(object: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== null && prototype !== Object.prototype) {
    throw new TypeError("JSON has plain objects only, no class instances");
  }
  const fields = object as Record<string, unknown>;
  let text = "{";
  for (const key of Object.keys(fields).sort()) {
    if (text.length > 1) text += ",";
    text += JSON.stringify(key) + ":" + write(fields[key], depth + 1);
  }
  return text + "}";
}
