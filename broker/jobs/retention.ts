/**
 * Forgets what nobody comes back for: ended presences and the states of sessions that were not seen for long.
 */
import { deleteOldPeerStates } from "../../storage/sql/queries/peer_state.ts";
import { deleteEndedPresences } from "../../storage/sql/queries/presence.ts";
import type { BrokerContext } from "../core/context.ts";

const DAY_MS = 86_400_000;
const PRESENCE_DAYS = 1;
const PEER_STATE_DAYS = 30;

/** Deletes rows that are past their time. @throws {MeshError} when the store failed. */
export async function forgetOldSessions(broker: BrokerContext): Promise<void> {
  const nowMs = broker.clock.now();
  const statements = [
    deleteEndedPresences(nowMs - PRESENCE_DAYS * DAY_MS),
    deleteOldPeerStates(nowMs - PEER_STATE_DAYS * DAY_MS),
  ];
  await broker.ledger.transact(null, async (tx) => {
    for (const { text, params } of statements) await tx.query(text, params);
    return { result: null, audits: [] };
  });
  forgetInMemory(broker, nowMs - PEER_STATE_DAYS * DAY_MS);
}

function forgetInMemory(broker: BrokerContext, beforeMs: number): void {
  for (const mesh of broker.meshes.all()) {
    for (const member of mesh.membersById.values()) {
      for (const session of member.sessions.values()) {
        const gone = session.presence === "remembered" && session.lastSeenAtMs < beforeMs;
        if (gone) member.sessions.delete(session.id);
      }
    }
  }
}
