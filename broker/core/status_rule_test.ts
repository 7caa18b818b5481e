/** The write rule of the status engine, case by case. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Status } from "../api/fields.ts";
import type { StatusSource } from "./model.ts";
import { type StatusValue, writtenStatus } from "./status_rule.ts";

const FRESH_MS = 60_000;

/** `[stored status, stored source, its age in ms, new status, new source, status after, source after, age after]` */
type Case = [Status, StatusSource, number, Status, StatusSource, Status, StatusSource, number];

const CASES: Readonly<Record<string, Case[]>> = {
  "another status is taken over whatever its source": [
    ["working", "hook", 1_000, "idle", "manual", "idle", "manual", 0],
    ["idle", "manual", 1_000, "working", "hook", "working", "hook", 0],
    ["idle", "manual", 1_000, "working", "jsonl", "working", "jsonl", 0],
    ["working", "hook", 1_000, "dnd", "hook", "dnd", "hook", 0],
  ],
  "the same status from a source of the same or a higher rank takes source and time": [
    ["working", "jsonl", 30_000, "working", "hook", "working", "hook", 0],
    ["working", "manual", 30_000, "working", "manual", "working", "manual", 0],
    ["dnd", "manual", 30_000, "dnd", "manual", "dnd", "manual", 0],
  ],
  "the same status from a lower source only refreshes a fresh one": [
    ["working", "hook", 30_000, "working", "jsonl", "working", "hook", 0],
    ["working", "hook", FRESH_MS, "working", "manual", "working", "hook", 0],
  ],
  "the same status from a lower source takes over a stale one": [
    ["working", "hook", FRESH_MS + 1, "working", "jsonl", "working", "jsonl", 0],
    ["idle", "manual", FRESH_MS + 1, "idle", "jsonl", "idle", "jsonl", 0],
  ],
  "only a manual write ends dnd": [
    ["dnd", "manual", 900_000, "idle", "hook", "dnd", "manual", 900_000],
    ["dnd", "manual", 900_000, "working", "jsonl", "dnd", "manual", 900_000],
    ["dnd", "manual", 900_000, "dnd", "hook", "dnd", "manual", 900_000],
    ["dnd", "manual", 900_000, "idle", "manual", "idle", "manual", 0],
  ],
  "a transcript does not contradict a fresh hook": [
    ["working", "hook", FRESH_MS, "idle", "jsonl", "working", "hook", FRESH_MS],
    ["working", "hook", FRESH_MS + 1, "idle", "jsonl", "idle", "jsonl", 0],
    ["working", "manual", 1, "idle", "jsonl", "idle", "jsonl", 0],
  ],
};

for (const [name, cases] of Object.entries(CASES)) {
  Deno.test(name, () => {
    const nowMs = 10_000_000;
    for (const [status, source, ageMs, next, from, after, afterSource, afterAgeMs] of cases) {
      const written = writtenStatus(
        { status, source, atMs: nowMs - ageMs },
        { status: next, source: from, atMs: nowMs },
        FRESH_MS,
      );
      assert.deepEqual(
        { ...written, ageMs: nowMs - written.atMs },
        { status: after, source: afterSource, atMs: nowMs - afterAgeMs, ageMs: afterAgeMs },
        `${status}/${source}, ${ageMs} ms old, then ${next}/${from}`,
      );
    }
  });
}

Deno.test("a status is never older after a write than before", () => {
  const status = fc.constantFrom<Status>("idle", "working", "dnd");
  const source = fc.constantFrom<StatusSource>("hook", "manual", "jsonl");
  const time = fc.nat(1_000_000);
  const value = fc.record({ status, source, atMs: time });
  fc.assert(fc.property(value, value, (stored: StatusValue, next: StatusValue) => {
    if (next.atMs < stored.atMs) return;
    const written = writtenStatus(stored, next, FRESH_MS);
    assert.ok(written.atMs >= stored.atMs);
    assert.ok(written.status === stored.status || written.status === next.status);
  }));
});
