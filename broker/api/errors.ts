/**
 * The closed table of error codes that may cross the wire, and the one class that carries them.
 * Codes keep the lower-case spelling of the reference protocol; HTTP status, CLI exit code and the advice whether to
 * retry are derived from this table everywhere.
 */

/** CLI exit codes: 2 authentication, 3 arguments, 4 network, 5 not found, 6 exists, 7 permission, 8 internal. */
export interface ErrorSpec {
  readonly http: number;
  readonly exit: number;
  /** True when the same request can succeed later without a change by its sender. */
  readonly retry: boolean;
  readonly summary: string;
}

export const ERRORS = {
  malformed: { http: 400, exit: 3, retry: false, summary: "The frame or body is not valid JSON" },
  invalid_argument: { http: 400, exit: 3, retry: false, summary: "A field is missing or wrong" },
  unknown_type: { http: 400, exit: 3, retry: false, summary: "No operation has this name" },
  no_hello: { http: 401, exit: 2, retry: false, summary: "The connection has not said hello yet" },
  already_hello: { http: 400, exit: 3, retry: false, summary: "The connection has said hello" },
  hello_timeout: { http: 408, exit: 2, retry: true, summary: "No hello arrived in time" },
  timestamp_skew: {
    http: 401,
    exit: 2,
    retry: false,
    summary: "The clocks of both sides differ by more than a minute",
  },
  bad_signature: { http: 401, exit: 2, retry: false, summary: "A signature does not verify" },
  replayed: { http: 401, exit: 2, retry: false, summary: "This signed hello was used before" },
  unauthorized: { http: 401, exit: 2, retry: false, summary: "The key is no member of the mesh" },
  revoked: { http: 403, exit: 7, retry: false, summary: "The member was banned" },
  forbidden: { http: 403, exit: 7, retry: false, summary: "The role does not permit this" },
  bad_session_pubkey: { http: 400, exit: 2, retry: false, summary: "The session key is malformed" },
  bad_parent_pubkey: { http: 400, exit: 2, retry: false, summary: "The member key is malformed" },
  attestation_mismatch: {
    http: 401,
    exit: 2,
    retry: false,
    summary: "The attestation names other keys than the hello",
  },
  parent_member_id_mismatch: {
    http: 401,
    exit: 2,
    retry: false,
    summary: "The member id is not the one of the member key",
  },
  session_unproven: {
    http: 401,
    exit: 2,
    retry: false,
    summary: "A session key was named without an attestation and its own signature",
  },
  session_taken: {
    http: 409,
    exit: 6,
    retry: false,
    summary: "The session id belongs to another member",
  },
  ttl_too_long: { http: 401, exit: 2, retry: false, summary: "The attestation lives over 24 h" },
  expired: { http: 410, exit: 5, retry: false, summary: "The attestation or invite has expired" },
  exhausted: { http: 410, exit: 5, retry: false, summary: "The invite has no uses left" },
  capacity: { http: 503, exit: 4, retry: true, summary: "The connection limit is reached" },
  not_found: { http: 404, exit: 5, retry: false, summary: "The named thing does not exist" },
  ambiguous_target: {
    http: 409,
    exit: 3,
    retry: false,
    summary: "More than one peer matches; the candidates are listed",
  },
  ambiguous_prefix: {
    http: 409,
    exit: 3,
    retry: false,
    summary: "More than one id begins like this",
  },
  already_exists: { http: 409, exit: 6, retry: false, summary: "The name or id is taken" },
  conflict: { http: 409, exit: 6, retry: true, summary: "Somebody else changed it meanwhile" },
  rate_limited: { http: 429, exit: 4, retry: true, summary: "Too many requests" },
  queue_full: {
    http: 429,
    exit: 4,
    retry: true,
    summary: "A recipient's queue has reached its limit",
  },
  too_large: { http: 413, exit: 3, retry: false, summary: "A value exceeds its limit" },
  limit: { http: 409, exit: 3, retry: false, summary: "A count has reached its limit" },
  stale_epoch: {
    http: 409,
    exit: 3,
    retry: true,
    summary: "The mesh key has been rotated; seal with the current epoch",
  },
  invalid_cron: {
    http: 400,
    exit: 3,
    retry: false,
    summary: "The cron expression is wrong or never comes due",
  },
  no_clock: {
    http: 409,
    exit: 5,
    retry: false,
    summary: "The mesh has no simulation clock yet; an owner or admin sets its speed first",
  },
  bad_digest: {
    http: 422,
    exit: 8,
    retry: false,
    summary: "The bytes that arrived are not those that were announced",
  },
  unavailable: {
    http: 503,
    exit: 4,
    retry: true,
    summary: "The broker cannot reach its store at the moment",
  },
  storage_full: { http: 507, exit: 4, retry: true, summary: "The broker's disk is full" },
  shutting_down: { http: 503, exit: 4, retry: true, summary: "The broker is stopping" },
  internal: { http: 500, exit: 8, retry: false, summary: "A bug; the reference id is in the log" },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** What an error may carry beside its message; every field is public. */
export interface ErrorData {
  readonly retry_after_ms?: number;
  readonly limit?: number;
  readonly candidates?: readonly string[];
  readonly field?: string;
  /** Of a compare-and-set: the revision that the value has. */
  readonly revision?: number;
  readonly reference?: string;
}

/** The only error that crosses the wire. `message` is public; `cause` goes to the log alone. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(
    code: ErrorCode,
    message: string,
    options: { data?: ErrorData; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MeshError";
    this.code = code;
    this.data = options.data ?? {};
  }
}

/** Returns whether `code` is a key of the table; a foreign broker may send others. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}
