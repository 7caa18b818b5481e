/**
 * What the Qdrant driver sends and gets: ids in the form that the server takes, and its failures as those of the port.
 */
import { createHash } from "node:crypto";
import { VectorsError } from "./port.ts";

/** What the server answers when its disk or memory is used up. */
const FULL = 507;

/** A UUID for any text, the same each time (RFC 9562, version 8): the server takes no other ids. */
export function hashedId(...parts: readonly string[]): string {
  const bytes = createHash("sha256").update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = (bytes[6] ?? 0) & 0x0f | 0x80;
  bytes[8] = (bytes[8] ?? 0) & 0x3f | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** A name of a collection at the server that no user chooses. */
export function collectionKey(meshId: string, name: string): string {
  const digest = createHash("sha256").update(JSON.stringify([meshId, name])).digest("hex");
  return `claudemesh_${digest.slice(0, 40)}`;
}

/** The port's error for whatever the client threw; what the server said may quote a payload and stays out of it. */
export function refusalOf(error: unknown): VectorsError {
  if (error instanceof VectorsError) return error;
  const { status, name } = Object(error) as { status?: unknown; name?: unknown };
  if (typeof status !== "number") {
    const message = `the Qdrant server does not answer (${String(name)})`;
    return new VectorsError("unavailable", message, { cause: error });
  }
  if (status === FULL) {
    return new VectorsError("full", "the Qdrant server is full", { cause: error });
  }
  if (status === 401 || status === 403) {
    const message = `the Qdrant server refuses the key (HTTP ${status}); correct QDRANT_API_KEY`;
    return new VectorsError("unavailable", message, { cause: error });
  }
  const kind = status >= 500 || status === 408 || status === 429 ? "unavailable" : "other";
  return new VectorsError(kind, `the Qdrant server answered with HTTP ${status}`, { cause: error });
}
