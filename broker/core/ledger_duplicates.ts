/**
 * Sends that the store has already: their commit is a conflict, and their answer is the first one.
 */
import type { MessageStore, SentMessage } from "../../storage/sql/queries/message_store.ts";
import type { MergedJob, SendJob } from "./ledger_job.ts";

export interface Sifted {
  readonly duplicates: readonly { readonly job: SendJob; readonly first: SentMessage }[];
  readonly rest: readonly MergedJob[];
}

/** Parts jobs into sends that are stored and all others, in their order. */
export async function siftDuplicates(
  store: MessageStore,
  jobs: readonly MergedJob[],
): Promise<Sifted> {
  const pairs = jobs.flatMap((job) =>
    job.kind === "send" && job.row.clientMessageId !== null
      ? [{ senderNumber: job.row.senderNumber, clientMessageId: job.row.clientMessageId }]
      : []
  );
  if (pairs.length === 0) return { duplicates: [], rest: jobs };
  const found = await store.findSent(pairs);
  const firsts = new Map(
    found.map((sent) => [`${sent.senderNumber} ${sent.clientMessageId}`, sent]),
  );
  const duplicates: { job: SendJob; first: SentMessage }[] = [];
  const rest: MergedJob[] = [];
  for (const job of jobs) {
    const first = job.kind === "send" && job.row.clientMessageId !== null
      ? firsts.get(`${job.row.senderNumber} ${job.row.clientMessageId}`)
      : undefined;
    if (job.kind === "send" && first !== undefined) duplicates.push({ job, first });
    else rest.push(job);
  }
  return { duplicates, rest };
}
