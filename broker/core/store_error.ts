/**
 * How failures of the store appear to those who asked for something.
 */
import { ObjectsError } from "../../storage/objects/port.ts";
import { SqlError, type SqlErrorKind } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";

/** Returns the error to answer with for `error`; one that may cross the wire is passed on. */
export function storeError(error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  const isStores = error instanceof SqlError || error instanceof ObjectsError;
  const kind = isStores ? error.kind : "other";
  if (kind === "unavailable" || kind === "timeout") {
    return new MeshError("unavailable", "The broker cannot reach its store; try again shortly", {
      cause: error,
      data: { retry_after_ms: 1_000 },
    });
  }
  if (kind === "full") {
    return new MeshError("storage_full", "The broker's disk is full; its operator must act", {
      cause: error,
      data: { retry_after_ms: 10_000 },
    });
  }
  return new MeshError("internal", "The broker failed to store this", { cause: error });
}

const KEPT_NOTHING: ReadonlySet<SqlErrorKind> = new Set(["conflict", "invalid", "skipped"]);

/**
 * Returns whether the store certainly kept nothing: it refused a value or a constraint, or never
 * began. After any other failure the commit may have taken place although its answer was lost.
 */
export function keptNothing(error: unknown): boolean {
  return error instanceof SqlError && KEPT_NOTHING.has(error.kind);
}
