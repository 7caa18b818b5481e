/**
 * Opens the stores of what a mesh shares, by the operator's configuration.
 */
import { join } from "node:path";
import { hkdfSha256 } from "../crypto/kdf.ts";
import type { MeshDatabases } from "../storage/mesh_database/port.ts";
import { PgliteMeshDatabases } from "../storage/mesh_database/pglite.ts";
import { FolderObjects } from "../storage/objects/folder.ts";
import type { Objects } from "../storage/objects/port.ts";
import { SignedUrls } from "../storage/objects/signed_urls.ts";
import type { Sql } from "../storage/sql/port.ts";
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
  const meshDatabases = openMeshDatabases(settings);
  const urls = new SignedUrls(hkdfSha256(key, "claudemesh/transfer-urls", 32));
  const objects = await openObjects(settings, urls);
  return {
    stores: { meshDatabases, objects, urls },
    async close() {
      await objects.close();
      await meshDatabases.close();
    },
  };
}

function openMeshDatabases({ dataDir }: Settings): MeshDatabases {
  return new PgliteMeshDatabases({ folder: join(dataDir, "meshes") });
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
