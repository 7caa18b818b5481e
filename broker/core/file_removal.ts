/**
 * Removing the bytes of files that are marked as deleted; then their rows go. What fails here is done by the job that
 * cleans up.
 */
import { bucketOf } from "../../storage/objects/object_name.ts";
import { type DoomedFile, forgetFile } from "../../storage/sql/queries/file_upkeep.ts";
import type { BrokerContext } from "./context.ts";
import type { Mesh } from "./model.ts";

/** Removes a deleted file's bytes and row. Returns whether that worked; a failure is logged. */
export async function removeBytes(
  broker: BrokerContext,
  mesh: Mesh | null,
  { id, meshId, key, ref }: DoomedFile,
): Promise<boolean> {
  const name = { bucket: bucketOf(meshId), key };
  try {
    await broker.stores.objects.abort({ ...name, ref });
    await broker.stores.objects.remove(name);
    await broker.ledger.transact(mesh, async (tx) => {
      await forgetFile(tx, meshId, id);
      return { result: null, audits: [] };
    });
    return true;
  } catch (error) {
    broker.log.warn("a deleted file's bytes are still there; the next clean-up tries again", {
      fileId: id,
      error: String(error),
    });
    return false;
  }
}
