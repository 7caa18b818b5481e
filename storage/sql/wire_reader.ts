/**
 * Reads what the embedded PostgreSQL answers: messages of the backend protocol, version 3
 * (PostgreSQL manual, 54.7), with rows in text form.
 */
import type { ResultSet } from "./pglite_messages.ts";
import { type FailureFields, sqlFailure } from "./sql_failure.ts";
import type { SqlError } from "./port.ts";
import { type Decoder, DECODERS } from "./values.ts";

/** Everything one exchange brought back. */
export interface WireReply {
  /** One result per statement that completed. */
  readonly results: readonly ResultSet[];
  readonly tags: readonly string[];
  /** How many statements were prepared. */
  readonly parsed: number;
  /** The first failure; statements after it did not run. */
  readonly failure: SqlError | null;
  /** A value that JavaScript cannot hold; the statements ran all the same. */
  readonly unreadable: unknown;
  readonly notifications: readonly { readonly channel: string; readonly payload: string }[];
  /**
   * Where the session stands: `I` idle, `T` in a transaction, `E` in a failed one; null when
   * PostgreSQL did not come back to waiting, which means that it died.
   */
  readonly status: string | null;
}

const decoder = new TextDecoder();

/** Reads all messages of one exchange. */
export function readReply(bytes: Uint8Array): WireReply {
  return new ReplyReader(bytes).read();
}

class ReplyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #results: ResultSet[] = [];
  #tags: string[] = [];
  #notifications: { channel: string; payload: string }[] = [];
  #columns: string[] = [];
  #decoders: (Decoder | null)[] = [];
  #cells: unknown[] = [];
  #parsed = 0;
  #failure: SqlError | null = null;
  #unreadable: unknown = null;
  #status: string | null = null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): WireReply {
    while (this.#at + 5 <= this.#bytes.length) {
      const type = String.fromCharCode(this.#view.getUint8(this.#at));
      const end = this.#at + 1 + this.#view.getInt32(this.#at + 1);
      this.#at += 5;
      this.#message(type);
      this.#at = end;
    }
    return {
      results: this.#results,
      tags: this.#tags,
      parsed: this.#parsed,
      failure: this.#failure,
      unreadable: this.#unreadable,
      notifications: this.#notifications,
      status: this.#status,
    };
  }

  #message(type: string): void {
    switch (type) {
      case "1":
        this.#parsed++;
        break;
      case "T":
        this.#rowDescription();
        break;
      case "D":
        this.#dataRow();
        break;
      case "C":
        this.#complete(this.#terminated());
        break;
      case "I":
        this.#complete("");
        break;
      case "E":
        this.#failure ??= sqlFailure(this.#errorFields());
        break;
      case "A":
        this.#at += 4;
        this.#notifications.push({ channel: this.#terminated(), payload: this.#terminated() });
        break;
      case "Z":
        this.#status = String.fromCharCode(this.#view.getUint8(this.#at));
        break;
    }
  }

  #rowDescription(): void {
    const count = this.#int16();
    for (let index = 0; index < count; index++) {
      this.#columns.push(this.#terminated());
      this.#at += 6;
      this.#decoders.push(DECODERS.get(this.#int32()) ?? null);
      this.#at += 8;
    }
  }

  #dataRow(): void {
    const count = this.#int16();
    for (let index = 0; index < count; index++) {
      const length = this.#int32();
      if (length < 0) {
        this.#cells.push(null);
        continue;
      }
      const text = decoder.decode(this.#bytes.subarray(this.#at, this.#at + length));
      this.#at += length;
      this.#cells.push(this.#decode(this.#decoders[index] ?? null, text));
    }
  }

  /** A value that cannot be read must not hide the messages after it: the exchange has happened. */
  #decode(decode: Decoder | null, text: string): unknown {
    if (decode === null) return text;
    try {
      return decode(text);
    } catch (error) {
      this.#unreadable ??= error;
      return null;
    }
  }

  #complete(tag: string): void {
    this.#results.push({ columns: this.#columns, cells: this.#cells });
    this.#tags.push(tag);
    this.#columns = [];
    this.#decoders = [];
    this.#cells = [];
  }

  #errorFields(): FailureFields {
    const fields = new Map<string, string>();
    while (this.#bytes[this.#at] !== 0) {
      const name = String.fromCharCode(this.#view.getUint8(this.#at++));
      fields.set(name, this.#terminated());
    }
    return {
      code: fields.get("C"),
      message: fields.get("M") ?? "PostgreSQL reported an error",
      constraint: fields.get("n"),
    };
  }

  #terminated(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  #int16(): number {
    const value = this.#view.getInt16(this.#at);
    this.#at += 2;
    return value;
  }

  #int32(): number {
    const value = this.#view.getInt32(this.#at);
    this.#at += 4;
    return value;
  }
}
