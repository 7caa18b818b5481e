/** The hash that chains a mesh's audit log (protocol.md 9.12). */
import { canonicalJson } from "./canonical_json.ts";
import { sha256Hex } from "./kdf.ts";

/** What stands before the first entry of a chain. */
export const AUDIT_GENESIS = "genesis";

/** One entry of the log, as far as its hash covers it. */
export interface AuditEntry {
  /** hash of the entry before, 64 hex, or `AUDIT_GENESIS` */
  prevHash: string;
  /** mesh id */
  meshId: string;
  /** "message_sent", ... */
  eventType: string;
  /** null when no member did it */
  actorMemberId: string | null;
  /** any JSON value; never content */
  payload: unknown;
  /** ISO 8601 in UTC with milliseconds, as `Date.toISOString` writes it */
  createdAt: string;
}

/**
 * SHA-256 of an entry, 64 lower-case hex; the payload counts as its canonical JSON. Throws
 * TypeError when a field holds the separator or the payload is no JSON.
 */
export function auditHash(entry: AuditEntry): string {
  const { prevHash, meshId, eventType, createdAt } = entry;
  const actor = String(entry.actorMemberId);
  // With the separator inside a field, two different entries could have one hash.
  for (const field of [prevHash, meshId, eventType, actor, createdAt]) {
    if (field.includes("|")) throw new TypeError(`an audit field must not hold "|": ${field}`);
  }
  const payload = canonicalJson(entry.payload);
  return sha256Hex(`${prevHash}|${meshId}|${eventType}|${actor}|${payload}|${createdAt}`);
}
