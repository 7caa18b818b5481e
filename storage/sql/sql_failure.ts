/**
 * Turns what a driver throws into a `SqlError`: the kind from the SQLSTATE (PostgreSQL manual,
 * appendix A) or the socket's error code, the message without any parameter value.
 */
import { SqlError, type SqlErrorKind } from "./port.ts";

/** What drivers know of a failure: PostgreSQL's error fields, or a system error's code. */
export interface FailureFields {
  readonly code?: string | undefined;
  readonly message: string;
  readonly constraint?: string | undefined;
}

const KIND_BY_STATE: Readonly<Record<string, SqlErrorKind>> = {
  "25P03": "timeout",
  "25P04": "timeout",
  "53100": "full",
  "53200": "full",
  "53300": "unavailable",
  "53400": "full",
  "55P03": "timeout",
  "57014": "timeout",
  "57P01": "unavailable",
  "57P02": "unavailable",
  "57P03": "unavailable",
  "57P04": "unavailable",
  "57P05": "timeout",
};

const KIND_BY_CLASS: Readonly<Record<string, SqlErrorKind>> = {
  "08": "unavailable",
  "0A": "invalid",
  "21": "invalid",
  "22": "invalid",
  "23": "conflict",
  "28": "unavailable",
  "3D": "unavailable",
  "40": "conflict",
  "42": "invalid",
  "54": "invalid",
};

/**
 * System codes and postgres.js's own codes that mean "no connection": the answer of a statement
 * under way is unknown then.
 */
const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/**
 * Maps a driver's failure.
 * @param fields code, message and constraint as PostgreSQL or the operating system gave them.
 */
export function sqlFailure(fields: FailureFields): SqlError {
  const code = fields.code ?? "";
  const state = /^[0-9A-Z]{5}$/.test(code) && !UNAVAILABLE_CODES.has(code) ? code : null;
  return new SqlError(
    kindOf(code, state, fields.message),
    publicMessage(state, fields.message),
    state,
    fields.constraint ?? null,
  );
}

function kindOf(code: string, state: string | null, message: string): SqlErrorKind {
  if (code === "ENOSPC" || /No space left on device/i.test(message)) return "full";
  if (state === null) return UNAVAILABLE_CODES.has(code) ? "unavailable" : "other";
  return KIND_BY_STATE[state] ?? KIND_BY_CLASS[state.slice(0, 2)] ?? "other";
}

/**
 * Data errors (class 22) quote the value they refuse; everything between the outermost quotes goes.
 */
function publicMessage(state: string | null, message: string): string {
  return state?.startsWith("22") ? message.replace(/"[\s\S]*"/, "(a value)") : message;
}

/** The `SqlError` for anything thrown: itself, or the mapped failure. */
export function asSqlError(error: unknown): SqlError {
  if (error instanceof SqlError) return error;
  if (!(error instanceof Error)) return new SqlError("other", "the database driver failed");
  const fields = error as Error & { code?: unknown; constraint_name?: unknown };
  return sqlFailure({
    code: typeof fields.code === "string" ? fields.code : undefined,
    message: error.message,
    constraint: typeof fields.constraint_name === "string" ? fields.constraint_name : undefined,
  });
}
