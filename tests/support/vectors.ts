/**
 * Vector stores for tests: a case runs on every driver that can be had. pgvector on a server needs a `TEST_DATABASE_URL`
 * whose server has the extension, Qdrant a server at `QDRANT_URL`; what is missing is reported in one line.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { randomId } from "../../crypto/random.ts";
import { PgliteMeshDatabases } from "../../storage/mesh_database/pglite.ts";
import { openPostgresMeshDatabases } from "../../storage/mesh_database/postgres.ts";
import { openPostgres } from "../../storage/sql/postgres.ts";
import { isRecent } from "../../storage/vectors/open.ts";
import { PgvectorVectors } from "../../storage/vectors/pgvector.ts";
import type { Point, VectorBounds, Vectors } from "../../storage/vectors/port.ts";
import { openQdrantVectors } from "../../storage/vectors/qdrant.ts";
import { linkMeshTemplate } from "./mesh_template.ts";
import { testDatabaseUrl } from "./sql.ts";

/** A store that is open, and what ends it. */
interface OpenVectors {
  readonly vectors: Vectors;
  close(): Promise<void>;
}

type VectorsDriver = "pgvector embedded" | "pgvector on a server" | "Qdrant";

const QDRANT_URL = Deno.env.get("QDRANT_URL");
const DATABASE = await databaseWithPgvector();

if (DATABASE === null) {
  console.log("no TEST_DATABASE_URL whose server has pgvector 0.8: its vectors are not tested");
}
if (QDRANT_URL === undefined) console.log("QDRANT_URL is not set: the Qdrant driver is not tested");

const DRIVERS: ReadonlyMap<VectorsDriver, (() => Promise<OpenVectors>) | null> = new Map([
  ["pgvector embedded", openEmbedded],
  ["pgvector on a server", DATABASE === null ? null : () => openOnServer(DATABASE)],
  ["Qdrant", QDRANT_URL === undefined ? null : () => openQdrant(QDRANT_URL)],
]);

const open = new Map<VectorsDriver, Promise<OpenVectors>>();

/** More than any case needs. */
export const ROOMY: VectorBounds = { collections: 100, points: 100_000 };

/**
 * Registers one test per driver, named `<name> (<driver>)`.
 * @param run gets the file's store of that driver and a mesh; the store stays open between tests, so the leak sanitizers
 *   are off in them. Name collections by `randomId()`: the mesh is the same in all.
 */
export function eachVectors(
  name: string,
  run: (vectors: Vectors, meshId: string) => Promise<void>,
): void {
  for (const [driver, opener] of DRIVERS) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: opener === null,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        if (opener === null) return;
        const opened = open.get(driver) ?? opener();
        open.set(driver, opened);
        await run((await opened).vectors, MESH_ID);
      },
    });
  }
}

Deno.test.afterAll(async () => {
  for (const opened of open.values()) await (await opened).close();
  open.clear();
});

const MESH_ID = randomId();

async function openEmbedded(): Promise<OpenVectors> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-vectors-" });
  await linkMeshTemplate(folder);
  const databases = new PgliteMeshDatabases({ folder: join(folder, "meshes") });
  const vectors = new PgvectorVectors(databases, fail);
  return {
    vectors,
    async close() {
      await vectors.close();
      await databases.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The URL of the test server when it has a recent pgvector. */
async function databaseWithPgvector(): Promise<string | null> {
  const databaseUrl = Deno.env.get("TEST_DATABASE_URL");
  if (databaseUrl === undefined) return null;
  const server = await openPostgres({ databaseUrl, maxConnections: 1 });
  try {
    const [row] = await server.query<{ version: string }>(
      "select default_version as version from pg_available_extensions where name = 'vector'",
    );
    return row !== undefined && isRecent(row.version) ? databaseUrl : null;
  } finally {
    await server.close();
  }
}

function fail(message: string): never {
  throw new Error(message);
}

/** In a database of its own: the meshes' roles and schemas would stay in a shared one. */
async function openOnServer(databaseUrl: string): Promise<OpenVectors> {
  const server = await openPostgres({ databaseUrl, maxConnections: 1 });
  const name = `claudemesh_vectors_${randomUUID().replaceAll("-", "")}`;
  await server.query(`create database ${name}`);
  const databases = await openPostgresMeshDatabases({ databaseUrl: testDatabaseUrl(name) });
  const vectors = new PgvectorVectors(databases, fail);
  return {
    vectors,
    async close() {
      await vectors.close();
      await databases.close();
      await server.query(`drop database ${name} with (force)`);
      await server.close();
    },
  };
}

async function openQdrant(url: string): Promise<OpenVectors> {
  const vectors = await openQdrantVectors({ url, apiKey: Deno.env.get("QDRANT_API_KEY") ?? null });
  return {
    vectors,
    async close() {
      for (const { name } of await vectors.collections(MESH_ID)) await vectors.drop(MESH_ID, name);
      await vectors.close();
    },
  };
}

/** A point with made-up texts. */
export function pointAt(id: string, vector: readonly number[], more: Partial<Point> = {}): Point {
  return {
    id,
    text: `text of ${id}`,
    metadata: {},
    vector: Float32Array.from(vector),
    storedBy: "Ada",
    storedAtMs: 1_790_000_000_000,
    ...more,
  };
}
