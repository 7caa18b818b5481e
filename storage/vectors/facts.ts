/**
 * Metadata as a set of facts, for stores whose filters only tell whether a list has an element: metadata contain a filter
 * when they have all of the filter's facts. Means the same as PostgreSQL's `@>` (manual, 8.14.3) for filters without lists
 * of objects or lists.
 */
import { createHash } from "node:crypto";
import type { Metadata } from "./port.ts";

const FACT_BYTES = 16;

/** The facts of an object: a hash of each path with what stands there. The top itself is none. */
export function factsOf(metadata: Metadata): string[] {
  const facts = new Set<string>();
  addMembers(facts, [], metadata);
  return [...facts];
}

function addMembers(facts: Set<string>, path: readonly unknown[], members: object): void {
  for (const [key, value] of Object.entries(members)) add(facts, [...path, key], value);
}

/** In a path a key is a string and "somewhere in a list" is 0, so that no key can be taken for it. */
function add(facts: Set<string>, path: readonly unknown[], value: unknown): void {
  if (Array.isArray(value)) {
    facts.add(hash([path, []]));
    for (const item of value) add(facts, [...path, 0], item);
  } else if (typeof value === "object" && value !== null) {
    facts.add(hash([path, {}]));
    addMembers(facts, path, value);
  } else {
    facts.add(hash([path, value]));
  }
}

function hash(fact: unknown): string {
  return createHash("sha256").update(JSON.stringify(fact)).digest().subarray(0, FACT_BYTES)
    .toString("base64url");
}
