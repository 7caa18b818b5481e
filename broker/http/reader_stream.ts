/**
 * A reader of the store of objects as the body of an answer: a piece is read when the last one has been taken, and a peer that
 * takes none for a while is let go.
 */
import type { ObjectReader } from "../../storage/objects/port.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";

export interface ReaderStreamOptions {
  /** How many bytes the reader has. */
  readonly length: number;
  readonly clock: Clock;
  readonly stallMs: number;
  /** Called once when the last byte has been taken. */
  readonly onEnd: () => void;
}

/** The stream; it closes `reader` however it ends. */
export function readerStream(
  reader: ObjectReader,
  { length, clock, stallMs, onEnd }: ReaderStreamOptions,
): ReadableStream<Uint8Array> {
  let left = length;
  let cancelStall: CancelTimer = () => {};
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (left > 0) waitForPeer(controller);
      else return end(controller);
    },
    async pull(controller) {
      cancelStall();
      try {
        const piece = await reader.read();
        if (piece === null) throw new Error(`the object ends ${left} bytes early`);
        controller.enqueue(piece);
        left -= piece.length;
        // Whoever counts the bytes does not ask for what comes after the last.
        if (left <= 0) return await end(controller);
        waitForPeer(controller);
      } catch (error) {
        controller.error(error);
        await reader.close();
      }
    },
    async cancel() {
      cancelStall();
      await reader.close();
    },
  }, { highWaterMark: 0 });

  async function end(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    onEnd();
    controller.close();
    await reader.close();
  }

  function waitForPeer(controller: ReadableStreamDefaultController<Uint8Array>): void {
    cancelStall = clock.after(stallMs, () => {
      controller.error(new Error(`nothing was taken for ${stallMs / 1000} s`));
      reader.close().catch(() => {});
    });
  }
}
