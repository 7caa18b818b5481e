/**
 * Frames on the pipes between the broker and the process of a mesh's database: a length of four bytes, then as many bytes
 * of V8's serialisation of a value (`node:v8`).
 */

const LENGTH_BYTES = 4;
/** More than any command or answer takes; a length beyond it means that something else writes to the pipe. */
const MAX_FRAME_BYTES = 268_435_456;

/** The bytes of one frame. */
export function frameOf(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(LENGTH_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, LENGTH_BYTES);
  return frame;
}

/**
 * Yields the payload of each frame, in a buffer of its own; what is cut off at the end of the stream is left out.
 * @throws {RangeError} when a length cannot be one.
 */
export async function* framesIn(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(LENGTH_BYTES);
  let payload: Uint8Array<ArrayBuffer> | null = null;
  let filled = 0;
  for await (const chunk of stream) {
    let at = 0;
    while (at < chunk.length || payload?.length === 0) {
      const target: Uint8Array = payload ?? header;
      const part = chunk.subarray(at, at + target.length - filled);
      target.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < target.length) continue;
      filled = 0;
      if (payload === null) payload = new Uint8Array(lengthIn(header));
      else {
        yield payload;
        payload = null;
      }
    }
  }
}

function lengthIn(header: Uint8Array<ArrayBuffer>): number {
  const length = new DataView(header.buffer).getUint32(0);
  if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes`);
  return length;
}
