/**
 * Transfers of files as tools answer them: waited for to their end, however long it takes.
 */
import type { Transfer, TransferResult } from "../../agent/core/file_types.ts";
import { LocalError } from "../../agent/core/local_error.ts";
import type { ToolContext } from "./tool.ts";

const WAIT_MS = 50_000;

/** Waits until a transfer has ended well. @throws what it failed with, as the agent tells it. */
export async function finishedTransfer(
  context: ToolContext,
  begun: Transfer,
): Promise<TransferResult> {
  let state = begun;
  while (state.state === "running") {
    const { transfer } = state;
    state = await context.call("file.transfer", { transfer, waitMs: WAIT_MS });
  }
  if (state.result !== null) return state.result;
  const { error } = state;
  if (error === null) throw new LocalError("bad_answer", "the agent lost the transfer");
  const { code, message, exit, hint, candidates } = error;
  throw new LocalError(code, message, {
    exit,
    ...(hint === null ? {} : { hint }),
    ...(candidates === undefined ? {} : { candidates }),
  });
}
