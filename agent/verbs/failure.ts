/**
 * Failures as the user of the command line meets them: one line that says what happened, one that says what to do, an
 * exit code from the table of errors.
 */
import { ERRORS, isErrorCode } from "../../broker/api/errors.ts";
import { printJson, printNotice } from "../ui/print.ts";
import { marks, printable, style } from "../ui/style.ts";

const EXIT_INTERNAL = 8;

interface Failure {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly hint?: unknown;
  readonly exit?: unknown;
}

function read(error: unknown): { code: string; message: string; hint: string | null } {
  const failure = (typeof error === "object" && error !== null ? error : {}) as Failure;
  return {
    code: typeof failure.code === "string" ? failure.code : "internal",
    message: typeof failure.message === "string" ? failure.message : String(error),
    hint: typeof failure.hint === "string" && failure.hint !== "" ? failure.hint : null,
  };
}

/** Returns the exit code of an error: its own, else that of its wire code, else 8. */
export function exitCodeOf(error: unknown): number {
  const failure = (typeof error === "object" && error !== null ? error : {}) as Failure;
  if (typeof failure.exit === "number") return failure.exit;
  return isErrorCode(failure.code) ? ERRORS[failure.code].exit : EXIT_INTERNAL;
}

/** Prints an error: as JSON on standard output with `--json`, else for people on standard error. */
export function reportFailure(error: unknown, json: boolean): void {
  const { code, message, hint } = read(error);
  if (json) {
    const envelope = { schema_version: "1.0", ok: false, error: { code, message, hint } };
    printJson(envelope);
    return;
  }
  printNotice(`${marks.failed()} ${printable(message)}`);
  if (hint) printNotice(`  ${style.hint(printable(hint))}`);
  const traced = Deno.env.get("CLAUDEMESH_DEBUG") === "1" && error instanceof Error;
  if (traced && error.stack) printNotice(error.stack);
}
