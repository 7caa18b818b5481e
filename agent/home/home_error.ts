/**
 * What goes wrong with files of the home: an error that already says the exit code of the command line and the fix. It
 * has the shape of `LocalError` in `agent/core`, which this folder may not import.
 */

/** Why a file of the home cannot be used. */
export type HomeErrorCode =
  | "home_unusable"
  | "bad_config"
  | "key_missing"
  | "key_malformed"
  | "key_mode"
  | "agent_running";

/** CLI exit codes of the home's errors: 2 authentication, 6 exists, 7 permission, 8 internal. */
const EXITS: Readonly<Record<HomeErrorCode, number>> = {
  home_unusable: 8,
  bad_config: 3,
  key_missing: 2,
  key_malformed: 2,
  key_mode: 7,
  agent_running: 6,
};

/** An error about a file; the message names the path, never what is in it. */
export class HomeError extends Error {
  override readonly name = "LocalError";
  readonly code: HomeErrorCode;
  /** Exit code of the command line. */
  readonly exit: number;
  /** What to do next. */
  readonly hint: string;

  constructor(code: HomeErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exit = EXITS[code];
    this.hint = hint;
  }
}
