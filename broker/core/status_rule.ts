/**
 * The write rule of a session's status: who may change it, and what that does to its source and age. Pure; the reference
 * protocol 6.1 to 6.3 has the rule.
 */
import type { Status } from "../api/fields.ts";
import type { StatusSource } from "./model.ts";

/** A status with where it came from and when. */
export interface StatusValue {
  readonly status: Status;
  readonly source: StatusSource;
  readonly atMs: number;
}

const RANK: Readonly<Record<StatusSource, number>> = { hook: 3, manual: 2, jsonl: 1 };

/**
 * Returns the status after a write of `next`, or `stored` itself when the write has no effect.
 * - `dnd` is a person's word: only a manual write ends it.
 * - What was read off a transcript does not replace a hook's word that is at most `freshMs` old.
 * - Another status is taken over whatever its source; the same status keeps a higher source while that is fresh.
 */
export function writtenStatus(
  stored: StatusValue,
  next: StatusValue,
  freshMs: number,
): StatusValue {
  const fresh = next.atMs - stored.atMs <= freshMs;
  if (stored.status === "dnd" && next.source !== "manual") return stored;
  if (next.status !== stored.status) {
    const guess = next.source === "jsonl" && stored.source === "hook" && fresh;
    return guess ? stored : next;
  }
  if (RANK[next.source] >= RANK[stored.source]) return next;
  return fresh ? { ...stored, atMs: next.atMs } : next;
}
