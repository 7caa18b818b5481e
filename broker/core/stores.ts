/**
 * The stores of what a mesh shares beside messages, each behind a port; which driver stands behind is the operator's
 * choice (`open_stores.ts`).
 */
import type { MeshDatabases } from "../../storage/mesh_database/port.ts";

export interface Stores {
  /** A database of each mesh's own. */
  readonly meshDatabases: MeshDatabases;
}
