/**
 * Asks for a new epoch where the current one is older than 30 days. Reads the store, so that a mesh nobody has used since
 * the start is not forgotten.
 */
import { meshesWithOldEpoch } from "../../storage/sql/queries/mesh_keys.ts";
import type { BrokerContext } from "../core/context.ts";
import { requestRekey } from "../core/rekey.ts";

/** How often to look. */
export const ROTATION_CHECK_MS = 3_600_000;

/**
 * Asks each mesh whose epoch is too old for a rotation.
 * @returns how many were asked.
 * @throws {MeshError | SqlError} when the store failed; the next run asks the rest.
 */
export async function rotationDue(
  broker: Pick<BrokerContext, "sql" | "meshes" | "ledger" | "events" | "clock" | "settings">,
): Promise<number> {
  const beforeMs = broker.clock.now() - broker.settings.limits.rotationMs;
  let count = 0;
  for (const meshId of await meshesWithOldEpoch(broker.sql, beforeMs)) {
    const mesh = await broker.meshes.find(meshId);
    if (mesh === null) continue;
    await requestRekey(broker, mesh, "key_old");
    count += 1;
  }
  return count;
}
