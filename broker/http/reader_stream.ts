/**
 * A reader of the store of objects as the body of an answer: a piece is read when the last one has been taken, and a
 * peer that takes none for a while is let go.
 */
import type { ObjectReader } from "../../storage/objects/port.ts";
import type { CancelTimer, Clock } from "../core/clock.ts";

const PIECE_BYTES = 65_536;

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
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: PIECE_BYTES,
    async start(controller) {
      if (left === 0) await end(controller);
      else waitForPeer(controller);
    },
    async pull(controller) {
      cancelStall();
      try {
        const request = controller.byobRequest;
        const view = request?.view;
        if (!request || !(view instanceof Uint8Array)) throw new TypeError("no place to read to");
        const count = await reader.read(view);
        if (count === 0) throw new Error(`the object ends ${left} bytes early`);
        request.respond(count);
        left -= count;
        // Whoever counts the bytes does not ask for what comes after the last.
        if (left === 0) await end(controller);
        else waitForPeer(controller);
      } catch (error) {
        controller.error(error);
        await reader.close();
      }
    },
    async cancel() {
      cancelStall();
      await reader.close();
    },
  });

  async function end(controller: ReadableByteStreamController): Promise<void> {
    onEnd();
    controller.close();
    await reader.close();
  }

  function waitForPeer(controller: ReadableByteStreamController): void {
    cancelStall = clock.after(stallMs, () => {
      controller.error(new Error(`nothing was taken for ${stallMs / 1000} s`));
      reader.close().catch(() => {});
    });
  }
}
