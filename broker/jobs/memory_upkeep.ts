/**
 * Keeps the memories in order: erases what has expired or was forgotten long ago, and indexes anew what was indexed with
 * other languages than those of now.
 */
import { eraseMemories, reindexMemories } from "../../storage/sql/queries/memory.ts";
import type { BrokerContext } from "../core/context.ts";

/** So many are indexed in one transaction, which takes well under a second. */
const REINDEXED_AT_ONCE = 200;
/** So many in one run, so that a run ends. */
const REINDEXED_IN_A_RUN = 10_000;

/** Brokers whose memories are all indexed with their languages. */
const indexed = new WeakSet<BrokerContext>();

/** Does what is due. @throws {MeshError} when the store failed; the next run goes on. */
export async function keepMemories(broker: BrokerContext): Promise<void> {
  const { ledger, clock, settings } = broker;
  await ledger.transact(null, async (tx) => {
    const nowMs = clock.now();
    const forgottenBeforeMs = nowMs - settings.limits.forgottenMemoryMs;
    return { result: await eraseMemories(tx, { nowMs, forgottenBeforeMs }), audits: [] };
  });
  if (indexed.has(broker)) return;
  for (let done = 0; done < REINDEXED_IN_A_RUN; done += REINDEXED_AT_ONCE) {
    const count = await ledger.transact(null, async (tx) => {
      const result = await reindexMemories(tx, settings.memoryLanguages, REINDEXED_AT_ONCE);
      return { result, audits: [] };
    });
    if (count < REINDEXED_AT_ONCE) {
      indexed.add(broker);
      return;
    }
  }
}
