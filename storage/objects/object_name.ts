/**
 * Names of buckets and objects. A mesh's bucket is `mesh-<id>`, a file's key `shared/<id>/<name>` or
 * `ephemeral/<YYYY-MM-DD>/<id>/<name>` (reference protocol 7.3). Nothing that a peer chooses gets into a name
 * unchanged, so that a name is a path inside its bucket with every driver.
 */
import { createHash } from "node:crypto";
import type { ObjectName } from "./port.ts";

const BUCKET = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const MAX_SEGMENTS = 6;
const MAX_PLAIN_ID = 40;
const DIGEST_CHARS = 16;
const NAME_CHARS = 100;

/**
 * The bucket of a mesh. Buckets have lower-case names only: an id with other characters gets a part of its SHA-256
 * behind it, so that two ids that differ in case do not meet (D55).
 */
export function bucketOf(meshId: string): string {
  if (/^[a-z0-9]+$/.test(meshId) && meshId.length <= MAX_PLAIN_ID) return `mesh-${meshId}`;
  const digest = createHash("sha256").update(meshId).digest("hex").slice(0, DIGEST_CHARS);
  const readable = meshId.toLowerCase().replace(/[^a-z0-9]/g, "-").slice(0, MAX_PLAIN_ID);
  return `mesh-${readable}-${digest}`;
}

/** What a file's object is called. `day` is the day it was shared, for files that expire. */
export function fileKey(
  { fileId, name, day }: { fileId: string; name: string; day: string | null },
): string {
  const folder = day === null ? "shared" : `ephemeral/${day}`;
  return `${folder}/${fileId}/${plainName(name)}`;
}

/** The file id in a key that `fileKey` made, null in any other. */
export function fileIdOf(key: string): string | null {
  const match = /^(?:shared|ephemeral\/\d{4}-\d{2}-\d{2})\/([A-Za-z0-9_-]{1,64})\/[^/]+$/.exec(key);
  return match?.[1] ?? null;
}

/** @throws {TypeError} when this is no name of an object. */
export function requireObjectName({ bucket, key }: ObjectName): void {
  requireBucket(bucket);
  const segments = key.split("/");
  if (segments.length <= MAX_SEGMENTS && segments.every((each) => SEGMENT.test(each))) return;
  throw new TypeError("an object's key is up to six plain segments");
}

/** @throws {TypeError} when this is no name of a bucket. */
export function requireBucket(bucket: string): void {
  if (!BUCKET.test(bucket)) throw new TypeError("a bucket's name is lower-case letters and digits");
}

/** The readable part of a key: the file's real name is in the database. */
function plainName(name: string): string {
  const plain = name.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "_").slice(-NAME_CHARS);
  return plain.replace(/^[.-]+/, "_") || "_";
}
