/**
 * Deletes tasks that were closed long ago.
 */
import { deleteOldTasks } from "../../storage/sql/queries/task_releases.ts";
import type { BrokerContext } from "../core/context.ts";

/** Deletes what is past its time, in every mesh. @throws {MeshError} when the store failed; the next run does it. */
export async function forgetClosedTasks(
  broker: Pick<BrokerContext, "ledger" | "clock" | "settings">,
): Promise<void> {
  const beforeMs = broker.clock.now() - broker.settings.limits.closedTaskLifeMs;
  const { text, params } = deleteOldTasks(beforeMs);
  await broker.ledger.transact(null, async (tx) => {
    await tx.query(text, params);
    return { result: null, audits: [] };
  });
}
