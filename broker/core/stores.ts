/**
 * The stores of what a mesh shares beside messages, each behind a port; which driver stands behind is the operator's
 * choice (`open_stores.ts`).
 */
import type { Graph } from "../../storage/graph/port.ts";
import type { MeshDatabases } from "../../storage/mesh_database/port.ts";
import type { Objects } from "../../storage/objects/port.ts";
import type { SignedUrls } from "../../storage/objects/signed_urls.ts";
import type { Vectors } from "../../storage/vectors/port.ts";
import type { Embedder } from "./embeddings/embedder.ts";

export interface Stores {
  /** The bytes of shared files. */
  readonly objects: Objects;
  /** Signs and reads the URLs by which they come and go. */
  readonly urls: SignedUrls;
  /** A database of each mesh's own. */
  readonly meshDatabases: MeshDatabases;
  /** A graph of each mesh's own. */
  readonly graph: Graph;
  /** Texts to be found by similarity. */
  readonly vectors: Vectors;
  /** Gives texts their directions. */
  readonly embedder: Embedder;
}
