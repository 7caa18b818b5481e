/**
 * A reader of the store of objects as the body of an answer: a piece is read when the last one has been taken, and a peer that takes
 * none for a while is let go.
 */
import type { ObjectReader } from "../../storage/objects/port.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";

export interface ReaderStreamOptions {
  readonly clock: Clock;
  readonly stallMs: number;
  /** Called once when the last byte has been taken; the stream ends after it. */
  readonly onEnd: () => Promise<void>;
}

/** The stream; it closes `reader` however it ends. */
export function readerStream(
  reader: ObjectReader,
  { clock, stallMs, onEnd }: ReaderStreamOptions,
): ReadableStream<Uint8Array> {
  let cancelStall: CancelTimer = () => {};
  return new ReadableStream<Uint8Array>({
    start: waitForPeer,
    async pull(controller) {
      cancelStall();
      try {
        const piece = await reader.read();
        if (piece !== null) {
          controller.enqueue(piece);
          waitForPeer(controller);
          return;
        }
        await onEnd();
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      await reader.close();
    },
    async cancel() {
      cancelStall();
      await reader.close();
    },
  }, { highWaterMark: 0 });

  function waitForPeer(controller: ReadableStreamDefaultController<Uint8Array>): void {
    cancelStall = clock.after(stallMs, () => {
      controller.error(new Error(`nothing was taken for ${stallMs / 1000} s`));
      reader.close().catch(() => {});
    });
  }
}
