/**
 * How values cross between JavaScript and PostgreSQL's text form: one table for both drivers, so
 * that a query answers alike on each. The mapping itself is documented in `port.ts`.
 */
import { decodeArray, encodeArray } from "./array_text.ts";
import { SqlError, type SqlStatement } from "./port.ts";

/** A parameter in PostgreSQL's text form; null is NULL. */
export type EncodedParam = string | null;

/** The same, but bytes stay bytes. */
export type BinaryParam = EncodedParam | Uint8Array;

/** A statement with its parameters already in text form. */
export interface EncodedStatement {
  readonly text: string;
  readonly params: EncodedParam[];
}

/**
 * Encodes a statement's parameters.
 * @throws {SqlError} `invalid` for undefined, functions, symbols and invalid dates, by position,
 *   and for a NUL character in the text, which would end the protocol's message early.
 */
export function encodeStatement(statement: SqlStatement): EncodedStatement {
  const params = encodeParams(statement.params ?? [], false) as EncodedParam[];
  return { text: encodeText(statement), params };
}

/**
 * Returns a statement's text.
 * @throws {SqlError} `invalid` as `encodeStatement`.
 */
export function encodeText({ text }: SqlStatement): string {
  if (!text.includes("\0")) return text;
  throw new SqlError("invalid", "the statement holds a NUL character");
}

/**
 * Encodes parameters.
 * @param keepBytes leaves a Uint8Array as it is, for a driver that sends it so.
 * @throws {SqlError} `invalid` as `encodeStatement`.
 */
export function encodeParams(params: readonly unknown[], keepBytes: boolean): BinaryParam[] {
  const encoded = new Array<BinaryParam>(params.length);
  for (let index = 0; index < params.length; index++) {
    const value = params[index];
    if (keepBytes && value instanceof Uint8Array) {
      encoded[index] = value;
      continue;
    }
    try {
      encoded[index] = encodeValue(value);
    } catch (error) {
      const reason = error instanceof Error ? error.message : "it has no SQL form";
      throw new SqlError("invalid", `parameter $${index + 1}: ${reason}`);
    }
  }
  return encoded;
}

function encodeValue(value: unknown): EncodedParam {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
      return String(value);
    case "boolean":
      return value ? "t" : "f";
    case "object":
      return value === null ? null : encodeObject(value);
    default:
      throw new TypeError(`a value of type ${typeof value} has no SQL form`);
  }
}

function encodeObject(value: object): string {
  if (Array.isArray(value)) return encodeArray(value, encodeValue);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new TypeError("the date is invalid");
    return value.toISOString();
  }
  if (value instanceof Uint8Array) return `\\x${value.toHex()}`;
  return JSON.stringify(value);
}

/** Reads one type's text form. */
export type Decoder = (text: string) => unknown;

/** Object ids of PostgreSQL's built-in types (`pg_type.dat`): [type, its array type, decoder]. */
const TYPES: readonly (readonly [number, number, Decoder])[] = [
  [16, 1000, decodeBoolean],
  [17, 1001, decodeBytes],
  [20, 1016, decodeInteger],
  [21, 1005, Number],
  [23, 1007, Number],
  [26, 1028, Number],
  [700, 1021, Number],
  [701, 1022, Number],
  [114, 199, decodeJson],
  [3802, 3807, decodeJson],
  [1114, 1115, decodeTimestamp],
  [1184, 1185, decodeTimestamp],
  [18, 1002, String],
  [19, 1003, String],
  [25, 1009, String],
  [1042, 1014, String],
  [1043, 1015, String],
  [1082, 1182, String],
  [1700, 1231, String],
  [2950, 2951, String],
];

/** The decoder of each known type and array type, by object id. Other types stay text. */
export const DECODERS: ReadonlyMap<number, Decoder> = new Map(
  TYPES.flatMap(([type, arrayType, decode]): [number, Decoder][] => [
    [type, decode],
    [arrayType, (text) => decodeArray(text, decode)],
  ]),
);

function decodeBoolean(text: string): boolean {
  return text === "t";
}

function decodeBytes(text: string): Uint8Array {
  return Uint8Array.fromHex(text.slice(2));
}

function decodeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new SqlError("invalid", "an int8 of the result is beyond 2^53 - 1; cast it to text");
  }
  return value;
}

function decodeJson(text: string): unknown {
  return JSON.parse(text);
}

/** Reads ISO style at UTC: `2026-01-02 03:04:05.678901+00`, or without the zone. */
function decodeTimestamp(text: string): Date {
  const date = new Date(text.replace(" ", "T").replace(/(\+00)?$/, "Z"));
  if (Number.isNaN(date.getTime())) {
    throw new SqlError("invalid", "a timestamp of the result is infinite or beyond year 9999");
  }
  return date;
}
