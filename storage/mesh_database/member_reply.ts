/**
 * Reads what PostgreSQL answers to a member's statement (backend protocol, version 3; PostgreSQL manual, 54.7) as it
 * comes, and keeps no more of it than the bounds allow, whatever the size of a row.
 */
import { type FailureFields, sqlFailure } from "../sql/sql_failure.ts";
import type { SqlError } from "../sql/port.ts";
import { memberValue } from "./member_values.ts";

const HEADER_BYTES = 5;
/** Messages that are no rows are small; one that claims more is not kept either. */
const MAX_OTHER_BYTES = 1_048_576;

export interface ReplyColumn {
  readonly name: string;
  readonly typeOid: number;
}

const decoder = new TextDecoder();

/** One answer under way: feed it with `push`, then read the fields. */
export class MemberReply {
  columns: ReplyColumn[] = [];
  readonly rows: unknown[][] = [];
  /** The command tag of the statement, such as `INSERT 0 3`; null when it did not complete. */
  tag: string | null = null;
  failure: SqlError | null = null;
  /** Where the session stands (`I`, `T`, `E`); null: PostgreSQL did not come back. */
  status: string | null = null;
  isCut = false;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  #bytes = 0;
  #completed = 0;
  readonly #statement: number;
  /** The start of a message whose rest is still to come. */
  #partial: Uint8Array = new Uint8Array();
  /** Bytes to pass over: the rest of a message that is not kept. */
  #skip = 0;

  /**
   * @param statement which of the statements of the exchange is the member's, from 0: rows and tags of others are passed
   *   over.
   */
  constructor(maxRows: number, maxBytes: number, statement: number) {
    this.#maxRows = maxRows;
    this.#maxBytes = maxBytes;
    this.#statement = statement;
  }

  push(chunk: Uint8Array): void {
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    if (this.#partial.length > 0) {
      const joined = new Uint8Array(this.#partial.length + chunk.length - at);
      joined.set(this.#partial);
      joined.set(chunk.subarray(at), this.#partial.length);
      this.#partial = new Uint8Array();
      return this.#read(joined, 0);
    }
    this.#read(chunk, at);
    at = chunk.length;
  }

  #read(bytes: Uint8Array, start: number): void {
    let at = start;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    while (at + HEADER_BYTES <= bytes.length) {
      const type = String.fromCharCode(view.getUint8(at));
      const end = at + 1 + view.getInt32(at + 1);
      if (!this.#isKept(type, end - at)) {
        this.#skip = Math.max(0, end - bytes.length);
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
    if (this.#completed !== this.#statement || this.isCut) return false;
    if (this.rows.length < this.#maxRows && length <= this.#maxBytes) return true;
    this.isCut = true;
    return false;
  }

  #message(type: string, body: Uint8Array): void {
    const reader = new BodyReader(body);
    switch (type) {
      case "T":
        if (this.#completed === this.#statement) this.columns = readColumns(reader);
        break;
      case "D":
        this.#row(reader);
        break;
      case "C":
        if (this.#completed++ === this.#statement) this.tag = reader.terminated();
        break;
      case "I":
        if (this.#completed++ === this.#statement) this.tag = "";
        break;
      case "s":
        this.#completed++;
        this.isCut = true;
        break;
      case "E":
        this.failure ??= sqlFailure(readFailure(reader));
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
    this.#bytes += JSON.stringify(row).length;
    if (this.#bytes > this.#maxBytes) this.isCut = true;
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

function readFailure(reader: BodyReader): FailureFields {
  const fields = new Map<string, string>();
  for (let name = reader.character(); name !== "\0"; name = reader.character()) {
    fields.set(name, reader.terminated());
  }
  return {
    code: fields.get("C"),
    message: fields.get("M") ?? "PostgreSQL reported an error",
    constraint: fields.get("n"),
  };
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
