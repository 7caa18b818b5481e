/**
 * What the end of a connection means for a link: try again, when, or stop until a person has done something.
 */
import { isErrorCode, MeshError } from "../../broker/api/errors.ts";
import { LIMITS } from "../../broker/api/limits.ts";
import type { LocalError } from "./local_error.ts";

/** Why a link is down and what follows. */
export interface LinkFailure {
  /** An error's code, or `closed`, `lost`, `unreachable`. */
  readonly code: string;
  readonly reason: string;
  /** What to do; null when waiting is enough. */
  readonly hint: string | null;
  /** True: does not try again by itself. */
  readonly final: boolean;
  /** At least so long before the next attempt. */
  readonly retryAfterMs: number;
}

/** Refusals of a hello that another hello, a moment later, may not meet. */
const PASSING: ReadonlySet<string> = new Set([
  "capacity",
  "conflict",
  "expired",
  "hello_timeout",
  "internal",
  "rate_limited",
  "replayed",
  "shutting_down",
  "storage_full",
  "timestamp_skew",
  "ttl_too_long",
  "unavailable",
]);

const HINTS: Readonly<Record<string, string>> = {
  unauthorized: "ask an owner whether you are still a member; join again with a new invite",
  revoked: "ask an owner of the mesh to unban you",
  session_taken: "another member uses this session id; start a new session",
};

/** Another program with this member's key takes the connection over: do not fight for it. */
const REPLACED_PAUSE_MS = 10_000;

/**
 * The failure that an `error` frame in place of a `hello_ack` stands for. `brokerDate` is the `Date` header of the
 * broker's answer, which tells how far off this machine's clock is.
 */
export function helloRefused(
  error: MeshError | LocalError,
  nowMs: number,
  brokerDate: string | null,
): LinkFailure {
  const { code } = error;
  const retryAfterMs = error instanceof MeshError ? error.data.retry_after_ms ?? 0 : 0;
  if (code === "timestamp_skew" || code === "expired" || code === "ttl_too_long") {
    return { ...clockFailure(nowMs, brokerDate), code, retryAfterMs };
  }
  return {
    code,
    reason: error.message,
    hint: HINTS[code] ?? null,
    final: isErrorCode(code) && !PASSING.has(code),
    retryAfterMs,
  };
}

/** The failure behind a close code (reference protocol 1.7; 4001 kicked and 4002 banned are final). */
export function closed(code: number, reason: string): LinkFailure {
  const again = { hint: null, final: false, retryAfterMs: 0 };
  switch (code) {
    case 1000:
      return reason === "session_replaced"
        ? {
          ...again,
          code: "session_replaced",
          reason: "another program connected as this member and session",
          hint: "run one agent for each member key; a copied home needs its own invite",
          retryAfterMs: REPLACED_PAUSE_MS,
        }
        : { ...again, code: "closed", reason: "the broker closed the connection" };
    case 1001:
      return { ...again, code: "shutting_down", reason: "the broker is stopping" };
    case 4001:
      return {
        ...again,
        code: "kicked",
        reason: "an admin ended this member's sessions",
        hint: "start the agent again to come back: claudemesh agent stop",
        final: true,
      };
    case 4002:
      return {
        ...again,
        code: "revoked",
        reason: "this member was banned from the mesh",
        hint: HINTS.revoked ?? null,
        final: true,
      };
    case 4008:
      return { ...again, code: "slow_reader", reason: "the broker cut a connection that lagged" };
    default:
      return { ...again, code: "lost", reason: `the connection was lost (code ${code})` };
  }
}

/** The failure of a connection that never opened. */
export function unreachable(host: string, detail: string): LinkFailure {
  return {
    code: "unreachable",
    reason: `cannot reach the broker at ${host}: ${detail}`,
    hint: null,
    final: false,
    retryAfterMs: 0,
  };
}

function clockFailure(nowMs: number, brokerDate: string | null): Omit<LinkFailure, "code"> {
  const brokerMs = brokerDate === null ? NaN : Date.parse(brokerDate);
  const offMs = nowMs - brokerMs;
  const far = Number.isNaN(offMs)
    ? `over ${LIMITS.helloWindowMs.value / 1000} s off`
    : `${span(Math.abs(offMs))} ${offMs < 0 ? "behind" : "ahead of"} the broker's`;
  return {
    reason: `this machine's clock is ${far}`,
    hint: "set the clock of this machine or of the broker's (it tries again by itself)",
    final: false,
    retryAfterMs: 0,
  };
}

function span(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}
