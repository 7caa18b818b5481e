/**
 * Writes messages of PostgreSQL's frontend protocol, version 3 (PostgreSQL manual, 54.7), for the
 * embedded PostgreSQL, which speaks it over a buffer instead of a socket.
 */
import type { EncodedParam } from "./values.ts";

const PARSE = 0x50;
const BIND = 0x42;
const DESCRIBE = 0x44;
const EXECUTE = 0x45;
const COPY_FAIL = 0x66;
const SYNC = 0x53;
const QUERY = 0x51;
const PORTAL = 0x50;

const INITIAL_BYTES = 65_536;
/** A buffer that one large statement made larger than this is not kept. */
const KEPT_BYTES = 4_194_304;

/** A growing buffer of messages; `take` returns what was written and starts anew. */
export class WireWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  /** Prepares `text` under `name`; the server infers the types of its parameters. */
  parse(name: string, text: string): void {
    const start = this.#begin(PARSE);
    this.#terminated(name);
    this.#terminated(text);
    this.#int16(0);
    this.#end(start);
  }

  /**
   * Binds parameters to a prepared statement, and runs it; rows come back as text.
   * @param maxRows after so many rows it is suspended; 0 for all rows.
   */
  execute(name: string, params: readonly EncodedParam[], maxRows = 0): void {
    const bind = this.#begin(BIND);
    this.#terminated("");
    this.#terminated(name);
    this.#int16(0);
    this.#int16(params.length);
    for (const param of params) {
      if (param === null) this.#int32(-1);
      else this.#counted(param);
    }
    this.#int16(0);
    this.#end(bind);
    const describe = this.#begin(DESCRIBE);
    this.#byte(PORTAL);
    this.#terminated("");
    this.#end(describe);
    const execute = this.#begin(EXECUTE);
    this.#terminated("");
    this.#int32(maxRows);
    this.#end(execute);
  }

  /** Ends a COPY from the client, should the statement before have begun one; else it is ignored. */
  copyFail(): void {
    const start = this.#begin(COPY_FAIL);
    this.#terminated("no rows can be copied in");
    this.#end(start);
  }

  /** Ends an implicit transaction: commits it, or ends the skipping after an error. */
  sync(): void {
    this.#end(this.#begin(SYNC));
  }

  /** Runs a script by the simple protocol. */
  query(text: string): void {
    const start = this.#begin(QUERY);
    this.#terminated(text);
    this.#end(start);
  }

  /** Everything written since the last call: a view that the next write overwrites. */
  take(): Uint8Array<ArrayBuffer> {
    const written = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#use(new Uint8Array(INITIAL_BYTES));
    return written;
  }

  #begin(type: number): number {
    this.#byte(type);
    const start = this.#length;
    this.#int32(0);
    return start;
  }

  #end(start: number): void {
    this.#view.setInt32(start, this.#length - start);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #int16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  #int32(value: number): void {
    this.#reserve(4);
    this.#view.setInt32(this.#length, value);
    this.#length += 4;
  }

  #terminated(text: string): void {
    this.#string(text);
    this.#byte(0);
  }

  #counted(text: string): void {
    this.#int32(0);
    const start = this.#length;
    this.#string(text);
    this.#view.setInt32(start - 4, this.#length - start);
  }

  #string(text: string): void {
    this.#reserve(text.length * 3);
    const { written } = this.#encoder.encodeInto(text, this.#bytes.subarray(this.#length));
    this.#length += written;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#use(bytes);
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
