/**
 * How the values of a member's result are written in JSON, alike on every driver: as the `Sql` port maps them, and as
 * text where JSON has no such value.
 */
import { decodeArray } from "../sql/array_text.ts";

type Decoder = (text: string) => unknown;

/** Built-in types (`pg_type.dat`): [type, its array type, its name, decoder]. */
const TYPES: readonly (readonly [number, number, string, Decoder])[] = [
  [16, 1000, "bool", (text) => text === "t"],
  [17, 1001, "bytea", String],
  [18, 1002, "char", String],
  [19, 1003, "name", String],
  [20, 1016, "int8", exactNumber],
  [21, 1005, "int2", Number],
  [23, 1007, "int4", Number],
  [25, 1009, "text", String],
  [26, 1028, "oid", Number],
  [114, 199, "json", json],
  [700, 1021, "float4", exactNumber],
  [701, 1022, "float8", exactNumber],
  [1042, 1014, "bpchar", String],
  [1043, 1015, "varchar", String],
  [1082, 1182, "date", String],
  [1083, 1183, "time", String],
  [1114, 1115, "timestamp", time],
  [1184, 1185, "timestamptz", time],
  [1186, 1187, "interval", String],
  [1266, 1270, "timetz", String],
  [1700, 1231, "numeric", String],
  [2205, 2210, "regclass", String],
  [2278, 0, "void", String],
  [2950, 2951, "uuid", String],
  [3802, 3807, "jsonb", json],
];

const DECODERS = new Map<number, Decoder>();
const NAMES = new Map<number, string>();
for (const [type, arrayType, name, decode] of TYPES) {
  DECODERS.set(type, decode);
  NAMES.set(type, name);
  if (arrayType === 0) continue;
  DECODERS.set(arrayType, (text) => decodeArray(text, decode));
  NAMES.set(arrayType, `${name}[]`);
}

/** A value from its text form; what cannot be read stays text. */
export function memberValue(typeOid: number, text: string): unknown {
  const decode = DECODERS.get(typeOid);
  return decode === undefined ? text : decode(text);
}

/** The name of a built-in type by its object id, arrays as `int4[]`; undefined for any other. */
export function builtInTypeName(typeOid: number): string | undefined {
  return NAMES.get(typeOid);
}

/** A number when JSON can hold it, else the text. */
function exactNumber(text: string): unknown {
  const value = Number(text);
  if (!Number.isFinite(value)) return text;
  return Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(text)
    ? text
    : value;
}

/** JSON as it is; PostgreSQL's `json` may hold numbers beyond JavaScript's, which become the nearest. */
function json(text: string): unknown {
  return JSON.parse(text);
}

/** ISO 8601 at UTC, to the microsecond that PostgreSQL keeps; infinity and years before Christ stay as they are. */
function time(text: string): unknown {
  const match = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?$/.exec(text);
  return match === null ? text : `${match[1]}T${match[2]}Z`;
}
