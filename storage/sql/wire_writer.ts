/**
 * Writes messages of PostgreSQL's frontend protocol, version 3 (PostgreSQL manual, 54.7), for the
 * embedded PostgreSQL, which speaks it over a buffer instead of a socket. Parameters come already
 * written (`bind_writer.ts`).
 */
import { WireBuffer } from "./wire_buffer.ts";

const PARSE = 0x50;
const BIND = 0x42;
const DESCRIBE = 0x44;
const EXECUTE = 0x45;
const COPY_FAIL = 0x66;
const SYNC = 0x53;
const QUERY = 0x51;
const PORTAL = 0x50;

/** Collects messages; `take` returns what was written and starts anew. */
export class WireWriter {
  readonly #buffer = new WireBuffer();

  /** Prepares `text` under `name`; the server infers the types of its parameters. */
  parse(name: string, text: string): void {
    const start = this.#begin(PARSE);
    this.#terminated(name);
    this.#terminated(text);
    this.#buffer.int16(0);
    this.#end(start);
  }

  /**
   * Binds parameters to a prepared statement, and runs it; rows come back as text.
   * @param params the part of a Bind message behind its two names.
   * @param maxRows after so many rows it is suspended; 0 for all rows.
   */
  execute(name: string, params: Uint8Array, maxRows = 0): void {
    this.#bind(name, params);
    const describe = this.#begin(DESCRIBE);
    this.#buffer.byte(PORTAL);
    this.#terminated("");
    this.#end(describe);
    this.#run(maxRows);
  }

  /** The same for a statement that returns no rows: they need not be described. */
  write(name: string, params: Uint8Array): void {
    this.#bind(name, params);
    this.#run(0);
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
    return this.#buffer.take();
  }

  #bind(name: string, params: Uint8Array): void {
    const start = this.#begin(BIND);
    this.#terminated("");
    this.#terminated(name);
    this.#buffer.bytes(params);
    this.#end(start);
  }

  #run(maxRows: number): void {
    const start = this.#begin(EXECUTE);
    this.#terminated("");
    this.#buffer.int32(maxRows);
    this.#end(start);
  }

  #begin(type: number): number {
    this.#buffer.byte(type);
    const start = this.#buffer.length;
    this.#buffer.int32(0);
    return start;
  }

  #end(start: number): void {
    this.#buffer.setInt32(start, this.#buffer.length - start);
  }

  #terminated(text: string): void {
    this.#buffer.text(text);
    this.#buffer.byte(0);
  }
}
