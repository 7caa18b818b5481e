/**
 * Opens the stores of what a mesh shares, by the operator's configuration.
 */
import { join } from "node:path";
import { AgeGraph } from "../storage/graph/age.ts";
import type { Graph } from "../storage/graph/port.ts";
import type { MeshDatabases } from "../storage/mesh_database/port.ts";
import { PgliteMeshDatabases } from "../storage/mesh_database/pglite.ts";
import { FolderObjects } from "../storage/objects/folder.ts";
import type { Objects } from "../storage/objects/port.ts";
import { SignedUrls } from "../storage/objects/signed_urls.ts";
import type { Sql } from "../storage/sql/port.ts";
import { openVectors } from "../storage/vectors/open.ts";
import { Embedder } from "./core/embeddings/embedder.ts";
import { EmbeddingsEndpoint } from "./core/embeddings/embeddings_endpoint.ts";
import { brokerLog } from "./core/log.ts";
import { derivedKey } from "./core/at_rest.ts";
import { requireLanguages } from "./core/memory_languages.ts";
import type { Settings } from "./core/settings.ts";
import type { Stores } from "./core/stores.ts";

/** Stores that are open, and what closes them. */
export interface OpenStores {
  readonly stores: Stores;
  close(): Promise<void>;
}

/**
 * Opens the stores. Nothing heavy is started before its first use.
 * @param key the broker's key for secrets at rest.
 * @throws {Error} that says why a configured server cannot be used, and what to do.
 */
export async function openStores(
  settings: Settings,
  sql: Sql,
  key: Uint8Array,
): Promise<OpenStores> {
  await requireLanguages(sql, settings.memoryLanguages);
  const onWarning = (message: string) => brokerLog().warn("a store warns", { message });
  const meshDatabases = await openMeshDatabases(settings, sql, onWarning);
  const embedded = embeddedBeside(meshDatabases, settings);
  const { qdrant, embeddings } = settings;
  const vectors = await openVectors({ qdrant, meshDatabases, embedded, sql, onWarning });
  const embedder = new Embedder(embeddings === null ? null : new EmbeddingsEndpoint(embeddings));
  const urls = new SignedUrls(derivedKey(key, "transfer-urls"));
  const objects = await openObjects(settings, urls);
  const graph = await openGraph(settings, { meshDatabases, embedded, onWarning });
  return {
    stores: { meshDatabases, vectors, embedder, objects, urls, graph },
    async close() {
      await objects.close();
      await graph.close();
      embedder.close();
      await vectors.close();
      await embedded.close();
      await meshDatabases.close();
    },
  };
}

async function openMeshDatabases(
  settings: Settings,
  sql: Sql,
  onWarning: (message: string) => void,
): Promise<MeshDatabases> {
  if (sql.driver === "pglite") return embeddedDatabases(settings);
  const [{ openPostgresMeshDatabases }, { PostgresSql }] = await Promise.all([
    import("../storage/mesh_database/postgres.ts"),
    import("../storage/sql/postgres.ts"),
  ]);
  if (!(sql instanceof PostgresSql)) throw new TypeError("the store has another driver");
  const { databaseUrl } = sql;
  const diskBytes = settings.limits.sqlDiskBytes;
  return await openPostgresMeshDatabases({ databaseUrl, diskBytes, onWarning });
}

function embeddedDatabases({ dataDir, limits }: Settings): MeshDatabases {
  return new PgliteMeshDatabases({
    folder: join(dataDir, "meshes"),
    diskBytes: limits.sqlDiskBytes,
  });
}

/** Embedded databases for what those on a server lack; nothing is opened before it is used. */
function embeddedBeside(databases: MeshDatabases, settings: Settings): MeshDatabases {
  return databases.driver === "pglite" ? databases : embeddedDatabases(settings);
}

interface GraphPlaces {
  readonly meshDatabases: MeshDatabases;
  readonly embedded: MeshDatabases;
  readonly onWarning: (message: string) => void;
}

async function openGraph(
  { graphServer }: Settings,
  { meshDatabases, embedded, onWarning }: GraphPlaces,
): Promise<Graph> {
  if (graphServer !== null) {
    const { Neo4jGraph } = await import("../storage/graph/neo4j.ts");
    return await Neo4jGraph.open(graphServer);
  }
  if (meshDatabases.extensions.has("age")) return new AgeGraph(meshDatabases);
  onWarning(
    "graphs are kept in embedded databases, for the PostgreSQL server has no Apache AGE; install it " +
      "to keep them there",
  );
  return new AgeGraph(embedded);
}

async function openObjects(
  { objectServer, dataDir }: Settings,
  urls: SignedUrls,
): Promise<Objects> {
  if (objectServer === null) return new FolderObjects({ root: join(dataDir, "objects"), urls });
  const { S3Objects } = await import("../storage/objects/s3.ts");
  const { publicPlace, ...server } = objectServer;
  const publicServer = publicPlace === null ? null : { ...server, ...publicPlace };
  return new S3Objects({ server, publicServer, urls });
}
