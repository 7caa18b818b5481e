/**
 * Opens the stores of what a mesh shares, by the operator's configuration.
 */
import { join } from "node:path";
import type { MeshDatabases } from "../storage/mesh_database/port.ts";
import { PgliteMeshDatabases } from "../storage/mesh_database/pglite.ts";
import type { Sql } from "../storage/sql/port.ts";
import type { Settings } from "./core/settings.ts";
import type { Stores } from "./core/stores.ts";

/** Stores that are open, and what closes them. */
export interface OpenStores {
  readonly stores: Stores;
  close(): Promise<void>;
}

/**
 * Opens the stores. Nothing heavy is started before its first use.
 * @throws {Error} that says why a configured server cannot be used, and what to do.
 */
export function openStores(settings: Settings, _sql: Sql): Promise<OpenStores> {
  const meshDatabases = openMeshDatabases(settings);
  return Promise.resolve({ stores: { meshDatabases }, close: () => meshDatabases.close() });
}

function openMeshDatabases({ dataDir }: Settings): MeshDatabases {
  return new PgliteMeshDatabases({ folder: join(dataDir, "meshes") });
}
