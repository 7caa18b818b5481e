/**
 * Failures of this machine: the agent does not run, no mesh is joined, a file is wrong. They never cross the wire to a
 * broker; between the agent and its clients they travel with their exit code and the next step.
 */
import { ERRORS, MeshError } from "../../broker/api/errors.ts";

/** What a local failure may carry beside its message. */
export interface LocalErrorOptions {
  /** The exit code of a verb that ends with it; left out: the code's own, 8 (internal) for a code without one. */
  readonly exit?: number;
  /** What to do next, in one sentence. */
  readonly hint?: string;
  /** What a name could have meant, or which meshes there are. */
  readonly candidates?: readonly string[];
  readonly cause?: unknown;
}

/**
 * Codes of the core -> exit code: 2 authentication, 3 arguments, 4 network, 5 not found, 6 exists, 7 permission,
 * 8 internal.
 */
const EXITS: Readonly<Record<string, number>> = {
  agent_gone: 4,
  agent_not_running: 4,
  agent_silent: 4,
  already_exists: 6,
  ambiguous_target: 3,
  bad_answer: 8,
  bad_clock: 2,
  bad_invite: 3,
  bad_signature: 2,
  conflict: 6,
  disk_full: 8,
  expired: 5,
  invalid_argument: 3,
  invalid_file: 3,
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
};
const EXIT_INTERNAL = 8;

/** An error that stays on this machine. `message` and `hint` are for people and hold no secret. */
export class LocalError extends Error {
  readonly code: string;
  readonly exit: number;
  readonly hint: string | null;
  readonly candidates: readonly string[] | null;

  constructor(code: string, message: string, options: LocalErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LocalError";
    this.code = code;
    this.exit = options.exit ?? EXITS[code] ?? EXIT_INTERNAL;
    this.hint = options.hint ?? null;
    this.candidates = options.candidates ?? null;
  }
}

/** What every failure can be told as: to a local client, in a list of results, in a log. */
export interface ErrorSummary {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
  readonly hint: string | null;
  readonly retryAfterMs?: number;
  readonly candidates?: readonly string[];
}

/**
 * Summarises any thrown value. Errors of the home's files count by their shape (`agent/home` cannot import this class);
 * everything unforeseen becomes `internal` without its message, which could hold anything.
 */
export function summarizeError(error: unknown): ErrorSummary {
  if (error instanceof MeshError) {
    const { candidates, retry_after_ms: retryAfterMs } = error.data;
    return {
      code: error.code,
      message: error.message,
      exit: ERRORS[error.code].exit,
      hint: null,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(candidates === undefined ? {} : { candidates }),
    };
  }
  if (isLocalShape(error)) {
    const { code, message, exit, hint } = error;
    const candidates = error instanceof LocalError ? error.candidates : null;
    return { code, message, exit, hint, ...(candidates === null ? {} : { candidates }) };
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
