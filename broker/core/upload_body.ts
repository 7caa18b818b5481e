/**
 * The bytes of an upload as they arrive: no more than were announced, from a sender that neither stalls nor is
 * replaced.
 */
import { MeshError } from "../api/errors.ts";
import type { Clock } from "./clock.ts";

const PIECE_BYTES = 262_144;

export interface UploadBody {
  /** Of bytes, as requests have it. */
  readonly stream: ReadableStream<Uint8Array> | null;
  /** Bytes that may still come. */
  readonly roomBytes: number;
  readonly stallMs: number;
  readonly clock: Clock;
  /** Aborted when somebody else goes on with the upload; its reason is the error. */
  readonly signal: AbortSignal;
  /** Gets every piece before it is handed on. */
  readonly onPiece: (piece: Uint8Array) => void;
}

/**
 * The pieces of a request's body; each is good until the next one is asked for.
 * @throws {MeshError} `too_large` at the first byte past `roomBytes` (nothing of that piece is handed on),
 *   `malformed` when the sender stalls or is gone, and the signal's reason.
 */
export async function* uploadPieces(body: UploadBody): AsyncGenerator<Uint8Array> {
  if (body.stream === null) return;
  const reader = readerOf(body.stream);
  let room = body.roomBytes;
  try {
    for (;;) {
      const piece = await nextPiece(reader, body);
      if (piece === null) return;
      if (piece.length > room) throw tooLarge();
      room -= piece.length;
      body.onPiece(piece);
      yield piece;
    }
  } finally {
    // What is not read is not waited for either; after the end this does nothing.
    reader.cancel().catch(() => {});
  }
}

/** An upload that would go past the size it was announced with. */
export function tooLarge(): MeshError {
  return new MeshError("too_large", "these bytes go past the size that was announced for the file");
}

async function nextPiece(
  reader: PieceReader,
  { stallMs, clock, signal }: UploadBody,
): Promise<Uint8Array | null> {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const cancelStall = clock.after(stallMs, () => {
    ended.reject(new MeshError("malformed", `nothing arrived for ${stallMs / 1000} s`));
  });
  function onAbort(): void {
    ended.reject(signal.reason);
  }
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([ended.promise, reader.read()]);
  } finally {
    cancelStall();
    signal.removeEventListener("abort", onAbort);
  }
}

/** What reads a body, piece by piece. */
interface PieceReader {
  read(): Promise<Uint8Array | null>;
  cancel(): Promise<void>;
}

/** A body that came whole with its request is no stream of bytes. */
function readerOf(stream: ReadableStream<Uint8Array>): PieceReader {
  let bytes: ReadableStreamBYOBReader;
  try {
    bytes = stream.getReader({ mode: "byob" });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const whole = stream.getReader();
    return { read: () => pieceOf(whole.read()), cancel: () => whole.cancel() };
  }
  // One buffer goes back and forth: fresh ones would pile up faster than they are collected.
  let buffer = new ArrayBuffer(PIECE_BYTES);
  return {
    async read() {
      const piece = await pieceOf(bytes.read(new Uint8Array(buffer)));
      if (piece !== null) buffer = piece.buffer;
      return piece;
    },
    cancel: () => bytes.cancel(),
  };
}

async function pieceOf<Piece>(
  reading: Promise<{ done: boolean; value?: Piece | undefined }>,
): Promise<Piece | null> {
  try {
    const { done, value } = await reading;
    return done ? null : value ?? null;
  } catch (cause) {
    throw new MeshError("malformed", "the connection ended before the body did", { cause });
  }
}
