/**
 * Errors as a model reads them: the code, what happened, and what to do next.
 */
import type { ErrorCode } from "../../broker/api/errors.ts";
import { type ErrorSummary, summarizeError } from "../../agent/core/local_error.ts";
import type { ToolAnswer } from "./tool.ts";

/** What a model can do about a refusal; codes that are not named say it in their message. */
const NEXT_STEPS: Readonly<Partial<Record<ErrorCode | string, string>>> = {
  not_found: "Check the name or id; list_peers shows who is here.",
  ambiguous_target: "Use the key of one candidate instead of the name.",
  ambiguous_prefix: "Give more characters of the id.",
  invalid_argument: "Correct the named parameter and call again.",
  too_large: "Send less at once, or in parts.",
  limit: "Remove something of the same kind first.",
  rate_limited: "Wait as long as it says, then call again.",
  queue_full: "The recipient has not fetched its messages for long; try again later.",
  forbidden: "Ask an owner or admin of the mesh.",
  revoked: "Tell your user: this member was banned from the mesh.",
  unauthorized: "Tell your user: this key is no member of the mesh.",
  unavailable: "Try again in a moment.",
  shutting_down: "Try again in a moment: the broker restarts.",
  timeout: "Try again; mesh_info shows whether the mesh answers.",
  offline: "Messages are queued and go out by themselves; for the rest, try again later.",
  mesh_required: "Call again with the mesh parameter.",
  internal: "Tell your user; `claudemesh doctor` in a terminal may say more.",
};

/** Returns the next step for an error; null where nothing is to be added. */
export function nextStep(error: ErrorSummary): string | null {
  const wait = error.retryAfterMs === undefined
    ? ""
    : ` Wait ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  const step = error.hint ?? NEXT_STEPS[error.code] ?? null;
  return step === null ? wait.trim() || null : `${step}${wait}`;
}

/** Returns one line: the message with its code, candidates and next step. */
export function errorLine(error: ErrorSummary): string {
  const among = error.candidates === undefined || error.candidates.length === 0
    ? ""
    : ` Candidates: ${error.candidates.slice(0, 20).join(", ")}.`;
  const step = nextStep(error);
  const message = /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
  return `${message} (${error.code})${among}${step === null ? "" : ` ${step}`}`;
}

/** Returns an error as data, its next step included. */
export function errorData(error: ErrorSummary): Record<string, unknown> {
  return { ...error, next: nextStep(error) };
}

/** Returns the answer of a tool that failed. */
export function failedAnswer(error: unknown): ToolAnswer {
  const summary = summarizeError(error);
  return {
    text: `Error: ${errorLine(summary)}`,
    data: { ok: false, error: errorData(summary) },
    isError: true,
  };
}
