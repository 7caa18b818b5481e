/**
 * The errors that never cross the wire to a broker: what goes wrong between a person, this program and its files. They
 * carry the exit code of the command line and what to do next.
 */
import { ERRORS, MeshError } from "../../broker/api/errors.ts";

/**
 * Local code -> exit code of the command line: 2 authentication, 3 arguments, 4 network, 5 not found, 6 exists,
 * 7 permission, 8 internal.
 */
export const LOCAL_EXITS = {
  ambiguous: 3,
  bad_answer: 8,
  bad_clock: 2,
  bad_invite: 3,
  bad_signature: 2,
  disk_full: 8,
  expired: 5,
  invalid_argument: 3,
  key_changed: 7,
  mesh_required: 3,
  not_found: 5,
  not_joined: 5,
  offline: 4,
  refused: 2,
  store_broken: 8,
  timeout: 4,
  too_large: 3,
  waiting_for_key: 7,
} as const satisfies Record<string, number>;

export type LocalErrorCode = keyof typeof LOCAL_EXITS;

/** An error of this machine; the message quotes no secret and no message text. */
export class LocalError extends Error {
  override readonly name = "LocalError";
  /** One of `LocalErrorCode`, or the code of an error of the home's files. */
  readonly code: string;
  /** Exit code of the command line. */
  readonly exit: number;
  /** What to do next, null when there is nothing to add. */
  readonly hint: string | null;
  /** What a name could have meant, or which meshes there are. */
  readonly candidates: readonly string[];

  constructor(
    code: LocalErrorCode,
    message: string,
    options: { hint?: string; candidates?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exit = LOCAL_EXITS[code];
    this.hint = options.hint ?? null;
    this.candidates = options.candidates ?? [];
  }
}

/** What every failure can be told as: to a local client, in a result list, in a log. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
  readonly hint: string | null;
  readonly candidates?: readonly string[];
}

/**
 * Summarises any thrown value. Errors of the home's files count by their shape (`agent/home` cannot import this class);
 * everything unforeseen becomes `internal` without its message, which could hold anything.
 */
export function summarizeError(error: unknown): ErrorSummary {
  if (error instanceof MeshError) {
    const { candidates } = error.data;
    const summary = {
      code: error.code,
      message: error.message,
      exit: ERRORS[error.code].exit,
      hint: null,
    };
    return candidates === undefined ? summary : { ...summary, candidates };
  }
  if (isLocalShape(error)) {
    const { code, message, exit, hint } = error;
    const candidates = error instanceof LocalError ? error.candidates : [];
    return { code, message, exit, hint, ...(candidates.length > 0 ? { candidates } : {}) };
  }
  return { code: "internal", message: "an unforeseen error; see the log", exit: 8, hint: null };
}

function isLocalShape(
  error: unknown,
): error is Error & { code: string; exit: number; hint: string | null } {
  return error instanceof Error && error.name === "LocalError" &&
    "code" in error && typeof error.code === "string" &&
    "exit" in error && typeof error.exit === "number" && "hint" in error;
}
