/**
 * What sessions work on. Peers hear of a new one as a `state_change` of `_context:<name>`.
 */
import {
  type ContextRow,
  selectContexts,
  trimContexts,
  upsertContext,
} from "../../storage/sql/queries/contexts.ts";
import type { contexts as contract } from "../api/contexts.ts";
import type { Handlers } from "../api/op.ts";
import { RESERVED_PREFIX, stateEvents } from "../api/state.ts";
import type { Call } from "../core/context.ts";
import { isGranted } from "../core/grants.ts";

export const contexts: Handlers<typeof contract, Call> = {
  async shareContext(call, { summary, filesRead, keyFindings, tags }) {
    const { broker, connection: { mesh, member, session } } = call;
    const row = {
      id: broker.random.id(),
      memberId: member.id,
      sessionId: session.id,
      peerName: session.displayName,
      summary,
      filesRead,
      keyFindings,
      tags,
      updatedAt: new Date(broker.clock.now()),
    };
    const id = await broker.ledger.transact(mesh, async (tx) => {
      const result = await upsertContext(tx, mesh.id, row);
      await trimContexts(tx, mesh.id, member.id, broker.settings.limits.contextsPerMember);
      const payload = { contextId: result, sessionId: session.id };
      return { result, audits: [{ event: "context_shared", actor: member, payload }] };
    });
    tell(call, summary);
    return { id };
  },

  async getContext({ broker, connection: { mesh } }, { query, limit, offset }) {
    const rows = await selectContexts(broker.sql, mesh.id, { text: query, limit, offset });
    return {
      contexts: rows.map((row) => ({
        ...listed(row),
        filesRead: [...row.filesRead],
        keyFindings: [...row.keyFindings],
      })),
    };
  },

  async listContexts({ broker, connection: { mesh } }, { limit, offset }) {
    const rows = await selectContexts(broker.sql, mesh.id, { text: null, limit, offset });
    return { contexts: rows.map(listed) };
  },
};

function listed(row: ContextRow) {
  return {
    peerName: row.peerName,
    memberId: row.memberId,
    sessionId: row.sessionId,
    summary: row.summary,
    tags: [...row.tags],
    updatedAt: row.updatedAt.toISOString(),
  };
}

function tell({ broker, connection }: Call, summary: string): void {
  const { member, session } = connection;
  const data = {
    key: `${RESERVED_PREFIX}context:${session.displayName}`,
    value: summary,
    updatedBy: session.displayName,
    updatedBySession: session.id,
  };
  broker.events.toOthers(
    connection,
    stateEvents.stateChange,
    data,
    (other) => other.member === member || isGranted(member, other.member, "state-read"),
  );
}
