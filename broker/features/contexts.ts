/**
 * What sessions work on. Peers hear of a new one as a `state_change` of `_context:<name>`.
 */
import {
  type ContextRow,
  selectContexts,
  trimContexts,
  upsertContext,
} from "../../storage/sql/queries/contexts.ts";
import { MeshError } from "../api/errors.ts";
import type { contexts as contract } from "../api/contexts.ts";
import type { Handlers } from "../api/op.ts";
import { RESERVED_PREFIX, stateEvents } from "../api/state.ts";
import { fittingRows } from "../core/answer_rows.ts";
import type { Call } from "../core/context.ts";
import { mayUse } from "../core/grants.ts";

export const contexts: Handlers<typeof contract, Call> = {
  async shareContext(call, { summary, filesRead, keyFindings, tags }) {
    const { broker, connection: { mesh, member, session } } = call;
    requireSize({ summary, filesRead, keyFindings, tags }, broker.settings.limits.contextBytes);
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

  async getContext(call, { query, limit, offset }) {
    return await pageOf(call, { text: query, limit, offset }, (row) => ({
      ...listed(row),
      filesRead: [...row.filesRead],
      keyFindings: [...row.keyFindings],
    }));
  },

  async listContexts(call, { limit, offset }) {
    return await pageOf(call, { text: null, limit, offset }, listed);
  },
};

/** What the caller may read of what sessions have shared. */
async function pageOf<Shown>(
  { broker, connection: { mesh, member } }: Call,
  { text, limit, offset }: { text: string | null; limit: number; offset: number },
  shown: (row: ContextRow) => Shown,
): Promise<{ contexts: Shown[]; more: boolean }> {
  const hidden = [...mesh.membersById.keys()].filter((id) =>
    !mayUse(mesh, member, id, "state-read")
  );
  const query = { text, hidden, limit: limit + 1, offset };
  const rows = await selectContexts(broker.sql, mesh.id, query);
  const contexts = fittingRows(rows.slice(0, limit).map(shown));
  return { contexts, more: contexts.length < rows.length };
}

function requireSize(context: unknown, limit: number): void {
  const bytes = new TextEncoder().encode(JSON.stringify(context)).length;
  if (bytes <= limit) return;
  throw new MeshError(
    "too_large",
    `a context has at most ${limit} bytes as JSON, this one has ${bytes}; name what matters most`,
    { data: { limit } },
  );
}

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
  const { mesh, member, session } = connection;
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
    (other) => mayUse(mesh, other.member, member.id, "state-read"),
  );
}
