/**
 * Failures of this machine: the agent does not run, no mesh is joined, a file is wrong. They never cross the wire to a
 * broker; between the agent and its clients they travel with their exit code and the next step.
 */

/** What a local failure may carry beside its message. */
export interface LocalErrorOptions {
  /** The exit code of a verb that ends with it; 8 (internal) when left out. */
  readonly exit?: number;
  /** What to do next, in one sentence. */
  readonly hint?: string;
  readonly candidates?: readonly string[];
  readonly cause?: unknown;
}

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
    this.exit = options.exit ?? EXIT_INTERNAL;
    this.hint = options.hint ?? null;
    this.candidates = options.candidates ?? null;
  }
}
