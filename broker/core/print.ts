/**
 * Lines for the operator, on standard output and standard error.
 */
import { Buffer } from "node:buffer";

/** Writes a text and a line end to standard output. */
export function printLine(text: string): void {
  write(Deno.stdout, text);
}

/** Writes a text and a line end to standard error. */
export function printErrorLine(text: string): void {
  write(Deno.stderr, text);
}

function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes: Uint8Array = Buffer.from(`${text}\n`);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}
