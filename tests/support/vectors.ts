/**
 * Vector stores for tests: a case runs on every driver that can be had. pgvector on a server needs a `TEST_DATABASE_URL`
 * whose server has the extension, Qdrant a server at `QDRANT_URL`; what is missing is reported in one line.
 */
import { randomId } from "../../crypto/random.ts";
import { PgliteMeshDatabases } from "../../storage/mesh_database/pglite.ts";
import { PgvectorVectors } from "../../storage/vectors/pgvector.ts";
import type { Point, VectorBounds, Vectors } from "../../storage/vectors/port.ts";

/** A store that is open, and what ends it. */
interface OpenVectors {
  readonly vectors: Vectors;
  close(): Promise<void>;
}

type VectorsDriver = "pgvector embedded";

const DRIVERS: ReadonlyMap<VectorsDriver, () => Promise<OpenVectors>> = new Map([
  ["pgvector embedded", openEmbedded],
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
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
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
  const databases = new PgliteMeshDatabases({ folder });
  const vectors = new PgvectorVectors(databases);
  return {
    vectors,
    async close() {
      await vectors.close();
      await databases.close();
      await Deno.remove(folder, { recursive: true });
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
