/**
 * Frames as they come from a broker: text that may hold anything, read into an object with a `type`, and errors turned
 * into what callers catch.
 */
import { type ErrorData, isErrorCode, MeshError } from "../../broker/api/errors.ts";
import { LocalError } from "./local_error.ts";

/** One JSON object with a `type`. */
export interface Frame {
  readonly type: string;
  readonly [field: string]: unknown;
}

const MAX_MESSAGE_CHARS = 1_000;

/** The frame in `text`, null when it is none. Never throws. */
export function parseFrame(text: string): Frame | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFrame(value) ? value : null;
  } catch {
    // Not JSON: a broker that sends such things is not answered.
    return null;
  }
}

/** Whether a parsed value is a frame. */
export function isFrame(value: unknown): value is Frame {
  return typeof value === "object" && value !== null && "type" in value &&
    typeof value.type === "string";
}

/** The error in an `error` frame: a MeshError, or LocalError `refused` for a code that this program does not know. */
export function errorOf(frame: Frame): MeshError | LocalError {
  const message = typeof frame.message === "string"
    ? frame.message.slice(0, MAX_MESSAGE_CHARS)
    : "the broker gave no reason";
  if (isErrorCode(frame.code)) return new MeshError(frame.code, message, { data: dataOf(frame) });
  const code = String(frame.code).slice(0, 64);
  return new LocalError("refused", `the broker refused with "${code}": ${message}`, {
    hint: "this program may be older than the broker",
  });
}

function dataOf(frame: Frame): ErrorData {
  const { retry_after_ms, limit, candidates, field, reference } = frame;
  return {
    ...(typeof retry_after_ms === "number" ? { retry_after_ms } : {}),
    ...(typeof limit === "number" ? { limit } : {}),
    ...(isTexts(candidates) ? { candidates } : {}),
    ...(typeof field === "string" ? { field } : {}),
    ...(typeof reference === "string" ? { reference } : {}),
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
