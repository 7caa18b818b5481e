/**
 * The audit chain, for its readers. Verifying reads it in pages, so that a long chain keeps nobody waiting.
 */
import { AUDIT_GENESIS, auditHash } from "../../crypto/audit_hash.ts";
import { auditPage, auditRows, countAudits } from "../../storage/sql/queries/audit.ts";
import type { audit as contract } from "../api/audit.ts";
import { MeshError } from "../api/errors.ts";
import { LIMITS } from "../api/limits.ts";
import type { Handlers } from "../api/op.ts";
import type { BrokerContext, Call } from "../core/context.ts";
import type { Mesh } from "../core/model.ts";

const PAGE = 250;

interface Verdict {
  readonly valid: boolean;
  readonly entries: number;
  readonly head: string;
  readonly brokenAt?: number;
}

/** One verification of a mesh at a time; who asks meanwhile gets the same answer. */
const running = new WeakMap<Mesh, Promise<Verdict>>();

export const audit: Handlers<typeof contract, Call> = {
  async auditQuery({ broker: { sql }, connection: { mesh } }, input) {
    const eventType = input.eventType ?? null;
    const { limit, offset, after } = input;
    if (after !== undefined && (eventType !== null || offset > 0)) {
      throw new MeshError("invalid_argument", "after reads the whole chain: leave the others out", {
        data: { field: "after" },
      });
    }
    const rows = after === undefined
      ? await auditPage(sql, mesh.id, { eventType, limit, offset })
      : await auditRows(sql, mesh.id, after, limit);
    return {
      entries: rows.map((row) => ({
        id: row.id,
        eventType: row.eventType,
        actor: row.actorDisplayName,
        actorMemberId: row.actorMemberId,
        payload: row.payload as Record<string, unknown>,
        prevHash: row.prevHash,
        hash: row.hash,
        createdAt: new Date(row.createdAtMs).toISOString(),
      })),
      total: await countAudits(sql, mesh.id, eventType, LIMITS.auditOffset.value),
    };
  },

  auditVerify({ broker, connection: { mesh } }) {
    const known = running.get(mesh);
    if (known !== undefined) return known;
    const verdict = verifyChain(broker, mesh).finally(() => running.delete(mesh));
    running.set(mesh, verdict);
    return verdict;
  },
};

async function verifyChain({ sql }: BrokerContext, mesh: Mesh): Promise<Verdict> {
  let head = AUDIT_GENESIS;
  let lastId = 0;
  let entries = 0;
  while (true) {
    const rows = await auditRows(sql, mesh.id, lastId, PAGE);
    for (const row of rows) {
      const { id, hash, prevHash, eventType, actorMemberId, payload, createdAtMs } = row;
      const createdAt = new Date(createdAtMs).toISOString();
      const fields = { prevHash, meshId: mesh.id, eventType, actorMemberId, payload, createdAt };
      if (prevHash !== head || auditHash(fields) !== hash) {
        return { valid: false, entries, head, brokenAt: id };
      }
      head = hash;
      lastId = id;
      entries += 1;
    }
    if (rows.length < PAGE) return { valid: true, entries, head };
  }
}
