/**
 * Reading the pieces of an upload that somebody else sends: a sender that stalls must not keep a store from closing.
 */
import { ObjectsError } from "./port.ts";

/**
 * The pieces of `source` until it ends or `signal` is aborted; a piece that is waited for then is waited for no longer.
 * @throws {ObjectsError} `unavailable` when aborted, and whatever `source` throws.
 */
export async function* piecesUntil(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const closed = Promise.withResolvers<never>();
  // Nobody may be waiting for it at that moment.
  closed.promise.catch(() => {});
  function onAbort(): void {
    closed.reject(new ObjectsError("unavailable", "the store of objects is being closed"));
  }
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const pieces = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([closed.promise, pieces.next()]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A generator that waits for its own source ends when that does: its end is nothing to wait for.
    pieces.return?.().catch(() => {});
  }
}
