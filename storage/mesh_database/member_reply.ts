/**
 * Reads what PostgreSQL answers to a member's statement (backend protocol, version 3; PostgreSQL manual, 54.7) as it
 * comes, and keeps no more of it than the bounds allow, whatever the size of a row.
 */
import { Buffer } from "node:buffer";
import { sqlFailure } from "../sql/sql_failure.ts";
import { SqlError } from "../sql/port.ts";
import { memberValue } from "./member_values.ts";
import type { AnswerBounds } from "./member_transaction.ts";

const HEADER_BYTES = 5;
/** Messages that are no rows are small; one that claims more is not kept either. */
const MAX_OTHER_BYTES = 1_048_576;

export interface ReplyColumn {
  readonly name: string;
  readonly typeOid: number;
}

const NO_COPY_IN = new SqlError(
  "invalid",
  "there are no rows to COPY from: add them with INSERT",
  "0A000",
);

const decoder = new TextDecoder();

/** One answer under way: feed it with `push`, then read the fields. */
export class MemberReply {
  columns: ReplyColumn[] = [];
  readonly rows: unknown[][] = [];
  /** The statement's failure, in PostgreSQL's full words: they are for the member who wrote it, and for no log. */
  failure: SqlError | null = null;
  /** Where the session stands (`I`, `T`, `E`); null: PostgreSQL has not come back yet. */
  status: string | null = null;
  isCut = false;
  /** True when nobody waits for the rest. */
  isBrokenOff = false;
  readonly #bounds: AnswerBounds;
  #receivedBytes = 0;
  #tag: string | null = null;
  #keptBytes = 0;
  #nameBytes = 0;
  #skipped = 0;
  #isCopyIn = false;
  /** The start of a message whose rest is still to come. */
  #partial: Uint8Array = new Uint8Array();
  /** Bytes to pass over: the rest of a message that is not kept. */
  #passOver = 0;

  constructor(bounds: AnswerBounds) {
    this.#bounds = bounds;
  }

  /** The command tag, such as `INSERT 0 3`; null when the statement did not complete. */
  get tag(): string | null {
    return this.#tag;
  }

  /** Rows returned or changed, from the command tag; null where PostgreSQL does not say. */
  get rowCount(): number | null {
    const match = /(\d+)$/.exec(this.#tag ?? "");
    return match === null ? null : Number(match[1]);
  }

  /** Whether what is still to come is too much to wait for, and of no use. */
  get isWorthBreakingOff(): boolean {
    const { mayBreakOff, maxBytes } = this.#bounds;
    return mayBreakOff && this.isCut && this.#receivedBytes > 4 * maxBytes;
  }

  /** Whether a message has begun and not ended. */
  get hasRest(): boolean {
    return this.#partial.length > 0 || this.#passOver > 0;
  }

  /** Takes the next bytes of the answer; they are copied where they are kept. */
  push(chunk: Uint8Array): void {
    this.#receivedBytes += chunk.length;
    const start = Math.min(this.#passOver, chunk.length);
    this.#passOver -= start;
    if (this.#partial.length === 0) return this.#read(chunk, start);
    const joined = new Uint8Array(this.#partial.length + chunk.length);
    joined.set(this.#partial);
    joined.set(chunk, this.#partial.length);
    this.#partial = new Uint8Array();
    this.#read(joined, 0);
  }

  #read(bytes: Uint8Array, start: number): void {
    let at = start;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    while (at + HEADER_BYTES <= bytes.length) {
      const type = String.fromCharCode(view.getUint8(at));
      const end = at + 1 + view.getInt32(at + 1);
      if (!this.#isKept(type, end - at)) {
        this.#passOver = Math.max(0, end - bytes.length);
      } else if (end > bytes.length) {
        break;
      } else {
        this.#message(type, bytes.subarray(at + HEADER_BYTES, end));
      }
      at = end;
    }
    if (at < bytes.length) this.#partial = bytes.slice(at);
  }

  /** Whether a message is of any use: what would pass the bounds is not even assembled. */
  #isKept(type: string, length: number): boolean {
    if (type !== "D") return length <= MAX_OTHER_BYTES;
    const { skipRows, maxRows, maxBytes } = this.#bounds;
    if (this.isCut) return false;
    if (this.#skipped < skipRows) return this.#skipped++ < 0;
    if (this.rows.length < maxRows && length <= maxBytes) return true;
    this.isCut = true;
    return false;
  }

  #message(type: string, body: Uint8Array): void {
    const reader = new BodyReader(body);
    switch (type) {
      case "T":
        this.columns = readColumns(reader);
        this.#nameBytes = this.columns.reduce((sum, { name }) => sum + name.length + 4, 0);
        break;
      case "D":
        this.#row(reader);
        break;
      case "C":
        this.#tag = reader.terminated();
        break;
      case "s":
        this.isCut = true;
        break;
      case "G":
        this.#isCopyIn = true;
        break;
      case "E":
        this.failure ??= this.#isCopyIn ? NO_COPY_IN : readFailure(reader);
        break;
      case "Z":
        this.status = reader.character();
        break;
    }
  }

  #row(reader: BodyReader): void {
    const row = new Array<unknown>(reader.int16());
    for (let index = 0; index < row.length; index++) {
      const text = reader.counted();
      row[index] = text === null ? null : memberValue(this.columns[index]?.typeOid ?? 0, text);
    }
    this.#keptBytes += Buffer.byteLength(JSON.stringify(row)) + this.#nameBytes;
    if (this.#keptBytes > this.#bounds.maxBytes) this.isCut = true;
    else this.rows.push(row);
  }
}

function readColumns(reader: BodyReader): ReplyColumn[] {
  const columns: ReplyColumn[] = [];
  for (let left = reader.int16(); left > 0; left--) {
    const name = reader.terminated();
    reader.pass(6);
    columns.push({ name, typeOid: reader.int32() });
    reader.pass(8);
  }
  return columns;
}

function readFailure(reader: BodyReader): SqlError {
  const fields = new Map<string, string>();
  for (let name = reader.character(); name !== "\0"; name = reader.character()) {
    fields.set(name, reader.terminated());
  }
  const message = fields.get("M") ?? "PostgreSQL reported an error";
  const { kind, sqlState, constraint } = sqlFailure({
    code: fields.get("C"),
    message,
    constraint: fields.get("n"),
  });
  const [detail, hint, position] = [fields.get("D"), fields.get("H"), fields.get("P")];
  const words = [
    position === undefined ? message : `${message} at character ${position}`,
    ...(detail === undefined ? [] : [detail]),
    ...(hint === undefined ? [] : [hint]),
  ];
  return new SqlError(kind, words.join("; ").slice(0, 2_000), sqlState, constraint);
}

/** The fields of one message, in order. */
class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  pass(count: number): void {
    this.#at += count;
  }

  character(): string {
    return String.fromCharCode(this.#view.getUint8(this.#at++));
  }

  int16(): number {
    this.#at += 2;
    return this.#view.getInt16(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4);
  }

  terminated(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** A counted text; null for NULL. */
  counted(): string | null {
    const length = this.int32();
    if (length < 0) return null;
    this.#at += length;
    return decoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }
}
