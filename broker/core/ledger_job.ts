/**
 * What waits in the ledger for its commit, and how several of them become one.
 */
import { auditHash } from "../../crypto/audit_hash.ts";
import type { SqlExecutor, SqlStatement } from "../../storage/sql/port.ts";
import {
  type AuditRow,
  type CommitBatch,
  commitBatch,
  type CursorRow,
  type MessageRow,
  type ReceiptRow,
  type SeenReport,
  type SentMessage,
} from "../../storage/sql/queries/message_store.ts";
import type { MeshError } from "../api/errors.ts";
import type { Member, Mesh } from "./model.ts";

/** What the audit log says about a change; `payload` never carries content. */
export interface AuditEntry {
  readonly event: string;
  /** The member that did it, null for the broker itself. */
  readonly actor: Pick<Member, "id" | "displayName"> | null;
  readonly payload: object;
}

/**
 * A message on its way into the log. Exactly one of committed, duplicate and failed answers its
 * sender.
 */
export interface SendJob {
  readonly kind: "send";
  readonly mesh: Mesh;
  readonly sender: Member;
  /** Its `seq` and `id` are set by the ledger. */
  readonly row: MessageRow;
  /** What is committed with it, or not at all; not written for a message that was sent before. */
  readonly statements?: readonly SqlStatement[];
  /** Its commit is under way: what its recipients will get can be made meanwhile. */
  prepare(): void;
  /** It is on disk. May follow `failed` when the store's answer had been lost. */
  committed(): void;
  /** The sender had sent it before. */
  duplicate(first: SentMessage): void;
  failed(error: MeshError): void;
  /** It is not in the store and will never be; follows `failed` and `duplicate`. */
  dropped(): void;
}

/** Statements that are written together with their audit rows. */
export interface WriteJob {
  readonly kind: "write";
  readonly mesh: Mesh;
  readonly statements: readonly SqlStatement[];
  readonly audits: readonly AuditEntry[];
  committed(): void;
  failed(error: MeshError): void;
}

/** Closed deliveries and what was reported of them. */
export interface ClosingJob {
  readonly kind: "closing";
  readonly cursors: readonly CursorRow[];
  readonly receipts: readonly ReceiptRow[];
  readonly seen: readonly SeenReport[];
  committed(): void;
  failed(error: MeshError): void;
}

/** A transaction of its own, which nothing else is merged with. */
export interface ExclusiveJob {
  readonly kind: "exclusive";
  readonly mesh: Mesh | null;
  /** Runs inside the transaction; returns what to audit. */
  run(tx: SqlExecutor): Promise<readonly AuditEntry[]>;
  committed(): void;
  failed(error: MeshError): void;
}

export type MergedJob = SendJob | WriteJob | ClosingJob;
export type LedgerJob = MergedJob | ExclusiveJob;

const NO_HEADS: ReadonlyMap<Mesh, string> = new Map();

/** The audit chains as they will stand when a commit has taken place. */
export interface ChainedAudits {
  readonly rows: AuditRow[];
  readonly heads: ReadonlyMap<Mesh, string>;
}

/**
 * Chains audit entries to the heads of their meshes, which do not move yet.
 * @param ahead where chains will stand when the commit under way has taken place.
 */
export function chainAudits(
  entries: readonly { readonly mesh: Mesh; readonly entry: AuditEntry }[],
  nowMs: number,
  ahead: ReadonlyMap<Mesh, string> = NO_HEADS,
): ChainedAudits {
  const rows: AuditRow[] = [];
  const heads = new Map<Mesh, string>();
  const createdAt = new Date(nowMs).toISOString();
  for (const { mesh, entry } of entries) {
    const prevHash = heads.get(mesh) ?? ahead.get(mesh) ?? mesh.auditHead;
    const actorMemberId = entry.actor?.id ?? null;
    const { event: eventType, payload } = entry;
    const hash = auditHash({
      prevHash,
      meshId: mesh.id,
      eventType,
      actorMemberId,
      payload,
      createdAt,
    });
    heads.set(mesh, hash);
    rows.push({
      meshId: mesh.id,
      eventType,
      actorMemberId,
      actorDisplayName: entry.actor?.displayName ?? null,
      payload,
      prevHash,
      hash,
      createdAtMs: nowMs,
    });
  }
  return { rows, heads };
}

/** One commit: what to write, and where the audit chains stand after it. */
export interface MergedCommit {
  readonly jobs: readonly MergedJob[];
  readonly batch: CommitBatch;
  readonly heads: ReadonlyMap<Mesh, string>;
}

/**
 * Merges jobs into one commit; what one member sends to one target at one priority shares an audit
 * row.
 * @param ahead as for `chainAudits`.
 */
export function mergeJobs(
  jobs: readonly MergedJob[],
  nowMs: number,
  ahead?: ReadonlyMap<Mesh, string>,
): MergedCommit {
  const statements: SqlStatement[] = [];
  const messages: MessageRow[] = [];
  const cursors: CursorRow[] = [];
  const receipts: ReceiptRow[] = [];
  const seen: SeenReport[] = [];
  const entries: { mesh: Mesh; entry: AuditEntry }[] = [];
  const sent = new Map<string, string[]>();
  for (const job of jobs) {
    if (job.kind === "send") {
      messages.push(job.row);
      if (job.statements !== undefined) statements.push(...job.statements);
      const { id, priority, targetSpec } = job.row;
      const key = `${job.sender.number} ${priority} ${targetSpec}`;
      const messageIds = sent.get(key);
      if (messageIds !== undefined) messageIds.push(id);
      else {
        const first = [id];
        sent.set(key, first);
        const payload = { messageIds: first, priority, targetSpec };
        entries.push({
          mesh: job.mesh,
          entry: { event: "message_sent", actor: job.sender, payload },
        });
      }
    } else if (job.kind === "write") {
      statements.push(...job.statements);
      for (const entry of job.audits) entries.push({ mesh: job.mesh, entry });
    } else {
      cursors.push(...job.cursors);
      receipts.push(...job.receipts);
      seen.push(...job.seen);
    }
  }
  const { rows: audits, heads } = chainAudits(entries, nowMs, ahead);
  const batch = commitBatch({ statements, messages, cursors, receipts, seen, audits });
  return { jobs, batch, heads };
}
