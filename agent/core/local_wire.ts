/**
 * How both ends of the agent's local socket write: one JSON-RPC 2.0 message a line, errors with their code, exit code and
 * next step. Nothing here loads a schema library, so that a hook starts fast.
 */
import { isErrorCode, MeshError } from "../../broker/api/errors.ts";
import { type ErrorSummary, LocalError } from "./local_error.ts";

/** Grows with every change that an older client or agent would not understand. */
export const LOCAL_API_REVISION = 1;

/** The longest line, in bytes without its newline. */
export const LOCAL_LINE_BYTES = 4_194_304;

/** JSON-RPC's numbers; every failure of a method itself is `failed`, and `data.code` says which. */
export const RPC_CODES = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  failed: -32000,
} as const;

export type RpcId = number | string;

/** A line as it was parsed, before anything about it is known. */
export interface RpcMessage {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

const NEWLINE = 0x0a;

/** Cuts a byte stream into lines and refuses one that is too long before it is all in memory. */
export class LineReader {
  readonly #limitBytes: number;
  #parts: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(limitBytes: number = LOCAL_LINE_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Takes the next bytes; returns the lines that they complete, without newlines and without empty ones.
   * @throws {LocalError} `too_large` when a line exceeds the limit; the stream cannot be read on.
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      const line = this.#join(chunk.subarray(start, end));
      if (line.trim() !== "") lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return lines;
  }

  #hold(part: Uint8Array): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#limitBytes) {
      throw new LocalError("too_large", `a line exceeds ${this.#limitBytes} bytes`);
    }
    this.#parts.push(part.slice());
  }

  #join(last: Uint8Array): string {
    this.#hold(last);
    const bytes = new Uint8Array(this.#heldBytes);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    this.#parts = [];
    this.#heldBytes = 0;
    return new TextDecoder().decode(bytes);
  }
}

/** Rebuilds the error that `failure` describes: a MeshError for codes of the wire, else a LocalError. */
export function fromFailure(failure: ErrorSummary): MeshError | LocalError {
  const { code, message, exit, hint, retryAfterMs, candidates } = failure;
  if (isErrorCode(code) && hint === null) {
    return new MeshError(code, message, {
      data: {
        ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
        ...(candidates === undefined ? {} : { candidates }),
      },
    });
  }
  return new LocalError(code, message, {
    exit,
    ...(hint === null ? {} : { hint }),
    ...(candidates === undefined ? {} : { candidates }),
  });
}

/** Returns `value` as a failure when it has the shape of one, as the `data` of a JSON-RPC error. */
export function asFailure(value: unknown): ErrorSummary | null {
  if (typeof value !== "object" || value === null) return null;
  const { code, message, exit, hint } = value as Partial<Record<keyof ErrorSummary, unknown>>;
  const whole = typeof code === "string" && typeof message === "string" &&
    typeof exit === "number" && (hint === null || typeof hint === "string");
  return whole ? value as ErrorSummary : null;
}
