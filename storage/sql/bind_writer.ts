/**
 * Writes the parameters of statements for PGlite's worker as PostgreSQL takes them, all into one
 * buffer: handing that over costs nothing, where copying every value between threads cost more than
 * routing the messages.
 */
import type { BoundStatement, BoundStatements } from "./pglite_messages.ts";
import type { SqlStatement } from "./port.ts";
import { type BinaryParam, encodeParams, encodeText } from "./values.ts";
import { WireBuffer } from "./wire_buffer.ts";

const AS_TEXT = 0;
const AS_BYTES = 1;
const NULL_LENGTH = -1;

const buffer = new WireBuffer();

/**
 * Binds statements, in order.
 * @throws {SqlError} `invalid` as `encodeStatement`.
 */
export function bindStatements(statements: readonly SqlStatement[]): BoundStatements {
  const texts: string[] = [];
  const ends: number[] = [];
  try {
    for (const statement of statements) {
      texts.push(encodeText(statement));
      writeParams(statement.params ?? []);
      ends.push(buffer.length);
    }
    return { texts, ends, bytes: buffer.take().slice() };
  } finally {
    buffer.take();
  }
}

/** Binds parameters that are encoded already: the part of a Bind message behind its two names. */
export function bindEncoded(params: readonly BinaryParam[]): Uint8Array {
  try {
    writeEncoded(params);
    return buffer.take().slice();
  } finally {
    buffer.take();
  }
}

function writeParams(params: readonly unknown[]): void {
  writeEncoded(encodeParams(params, true));
}

/** The part of a Bind message (PostgreSQL manual, 54.7) behind its two names. */
function writeEncoded(encoded: readonly BinaryParam[]): void {
  buffer.int16(encoded.length);
  for (const param of encoded) buffer.int16(param instanceof Uint8Array ? AS_BYTES : AS_TEXT);
  buffer.int16(encoded.length);
  for (const param of encoded) {
    if (param === null) {
      buffer.int32(NULL_LENGTH);
      continue;
    }
    const place = buffer.length;
    buffer.int32(0);
    if (typeof param === "string") buffer.text(param);
    else buffer.bytes(param);
    buffer.setInt32(place, buffer.length - place - 4);
  }
  // All columns of the result as text.
  buffer.int16(0);
}

/** Takes bound statements apart. */
export function* eachBound({ texts, ends, bytes }: BoundStatements): Iterable<BoundStatement> {
  let start = 0;
  for (const [index, text] of texts.entries()) {
    const end = ends[index] ?? start;
    yield { text, params: bytes.subarray(start, end) };
    start = end;
  }
}
