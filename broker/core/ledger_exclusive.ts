/**
 * A transaction of its own, with the audit rows it asks for.
 */
import type { Sql, SqlExecutor } from "../../storage/sql/port.ts";
import { insertAudits } from "../../storage/sql/queries/audit.ts";
import { type AuditEntry, chainAudits, type ExclusiveJob } from "./ledger_job.ts";
import type { Mesh } from "./model.ts";

/** Why a transaction failed, and where the chains stand if it took place all the same. */
export class ExclusiveFailure extends Error {
  /** Null: it failed before its commit, so certainly nothing was kept. */
  readonly heads: ReadonlyMap<Mesh, string> | null;

  constructor(cause: unknown, heads: ReadonlyMap<Mesh, string> | null) {
    super("the transaction failed", { cause });
    this.heads = heads;
  }
}

/**
 * Runs a job's transaction; returns where the audit chains stand after it.
 * @throws {ExclusiveFailure} with the cause.
 */
export async function writeExclusive(
  sql: Pick<Sql, "transaction">,
  job: ExclusiveJob,
  now: () => number,
): Promise<ReadonlyMap<Mesh, string>> {
  let heads: ReadonlyMap<Mesh, string> | null = null;
  try {
    return await sql.transaction(async (tx) => {
      const audits = await job.run(tx);
      const written = await writeAudits(tx, job.mesh, audits, now());
      heads = written;
      return written;
    });
  } catch (error) {
    throw new ExclusiveFailure(error, heads);
  }
}

async function writeAudits(
  tx: SqlExecutor,
  mesh: Mesh | null,
  audits: readonly AuditEntry[],
  nowMs: number,
): Promise<ReadonlyMap<Mesh, string>> {
  if (audits.length === 0) return new Map();
  if (mesh === null) throw new Error("an audit row needs its mesh");
  const chained = chainAudits(audits.map((entry) => ({ mesh, entry })), nowMs);
  const statement = insertAudits(chained.rows);
  await tx.query(statement.text, statement.params);
  return chained.heads;
}
