/**
 * Chooses where vectors are kept: at a Qdrant server when one is configured, else in the meshes' own databases; in
 * embedded ones when those on the server have no pgvector, or an old one.
 */
import type { MeshDatabases } from "../mesh_database/port.ts";
import type { SqlExecutor } from "../sql/port.ts";
import { PgvectorVectors } from "./pgvector.ts";
import type { Vectors } from "./port.ts";

/** Half-precision vectors came with 0.7, iterative index scans, which filters need, with 0.8. */
const LEAST_VERSION = [0, 8] as const;

export interface OpenVectorsOptions {
  readonly qdrant: { readonly url: string; readonly apiKey: string | null } | null;
  readonly meshDatabases: MeshDatabases;
  /** Databases that have pgvector for sure. */
  readonly embedded: MeshDatabases;
  /** The server of `meshDatabases`, where they are on one. */
  readonly sql: SqlExecutor;
  /** Told what the operator should know. */
  readonly onWarning: (message: string) => void;
}

/**
 * Opens the store of vectors; the databases stay the caller's.
 * @throws {VectorsError} `unavailable` when the configured Qdrant server does not answer.
 */
export async function openVectors(options: OpenVectorsOptions): Promise<Vectors> {
  const { qdrant, meshDatabases, embedded, sql, onWarning } = options;
  if (qdrant !== null) {
    const { openQdrantVectors } = await import("./qdrant.ts");
    return await openQdrantVectors(qdrant);
  }
  if (meshDatabases.driver === "pglite") return new PgvectorVectors(meshDatabases, onWarning);
  const version = meshDatabases.extensions.has("vector") ? await pgvectorVersion(sql) : null;
  if (version !== null && isRecent(version)) {
    return new PgvectorVectors(meshDatabases, onWarning);
  }
  onWarning(
    `vectors are kept in embedded databases, for the PostgreSQL server has ${
      version === null ? "no pgvector" : `pgvector ${version}`
    }; install pgvector ${LEAST_VERSION.join(".")} or later to keep them there`,
  );
  return new PgvectorVectors(embedded, onWarning);
}

async function pgvectorVersion(sql: SqlExecutor): Promise<string | null> {
  const [row] = await sql.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'vector'",
  );
  return row?.version ?? null;
}

/** Whether `0.8.1` and the like is recent enough. */
export function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_VERSION;
  return major > leastMajor || major === leastMajor && minor >= leastMinor;
}
