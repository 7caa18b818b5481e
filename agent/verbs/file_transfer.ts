/**
 * Transfers as verbs show them: a bar while they run, ended by Ctrl-C, their failure as the verb's own.
 */
import type { Transfer, TransferResult } from "../core/file_types.ts";
import type { LocalClient } from "../core/local_client.ts";
import { LocalError } from "../core/local_error.ts";
import { sizeText } from "../core/size_text.ts";
import { ProgressBar } from "../ui/progress_bar.ts";
import type { VerbContext } from "./verb.ts";

const WAIT_MS = 50_000;

/**
 * Follows the transfer that `begin` starts to its end. @throws {LocalError} what it failed with.
 */
export async function followTransfer(
  context: VerbContext,
  client: LocalClient,
  begin: (waitMs: number) => Promise<Transfer>,
): Promise<{ mesh: string; result: TransferResult }> {
  const bar = new ProgressBar({ amount: sizeText, shown: !context.json });
  let id: string | null = null;
  const stopListening = client.onEvent((event) => {
    if (event.kind !== "transfer") return;
    id = event.transfer.transfer;
    const { progress } = event.transfer;
    if (progress === null) return;
    const { phase: label, doneBytes: done, totalBytes: total } = progress;
    bar.update({ label, done, total }, Date.now());
  });
  context.atCancel(async () => {
    bar.end();
    if (id !== null) await client.call("file.cancel", { transfer: id });
  });
  try {
    let state = await begin(WAIT_MS);
    while (state.state === "running") {
      const { transfer } = state;
      state = await client.call("file.transfer", { transfer, waitMs: WAIT_MS });
    }
    if (state.result !== null) return { mesh: state.mesh, result: state.result };
    throw failureOf(state);
  } finally {
    bar.end();
    stopListening();
  }
}

function failureOf({ error }: Transfer): LocalError {
  if (error === null) return new LocalError("bad_answer", "the agent lost the transfer");
  const { code, message, exit, hint } = error;
  return new LocalError(code, message, { exit, ...(hint === null ? {} : { hint }) });
}
