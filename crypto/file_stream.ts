/**
 * The content of a shared file: AES-256-GCM in chunks of 64 KiB (CONTRACTS.md 4), in the STREAM
 * construction of Hoang, Reyhanitabar, Rogaway and Vizár.
 *
 * The nonce of a chunk is a random prefix of the file (7 bytes), the chunk's number (4 bytes, big
 * endian) and a byte that is 1 for the last chunk; the file's header (`file_header.ts`) is the
 * additional data of every chunk. Whoever cuts, extends, reorders, repeats or swaps chunks is found
 * out, and any chunk can be opened alone, so that a transfer goes on where it ended.
 *
 * WebCrypto does the work outside the event loop, three to five times faster than node:crypto.
 */
import { deriveFileKey, type FilePlace } from "./file_key.ts";

/** Bytes of content in each chunk but the last. */
export const FILE_CHUNK_BYTES = 65_536;

/** Bytes that a sealed chunk is longer than its content. */
export const FILE_TAG_BYTES = 16;

/** Bytes of each sealed chunk but the last. */
export const SEALED_CHUNK_BYTES = FILE_CHUNK_BYTES + FILE_TAG_BYTES;

/** Bytes of a file's part of the nonces. */
export const NONCE_PREFIX_BYTES = 7;

const NONCE_BYTES = 12;
const COUNTER_AT = NONCE_PREFIX_BYTES;
const LAST_AT = 11;
const MAX_CHUNKS = 2 ** 32;

/** What one file's chunks are sealed and opened with. */
export interface FileCipher {
  /** derived from the file key, the mesh and the file id */
  readonly key: CryptoKey;
  /** 7 random bytes of the file */
  readonly noncePrefix: Uint8Array;
  /** the file's whole header, which every chunk vouches for */
  readonly header: Uint8Array<ArrayBuffer>;
}

/** A file that is not what was sealed: cut, extended, changed, or another one. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile";
  /** number of the first chunk that does not open */
  readonly chunk: number;

  /** `chunk` counts from 0. */
  constructor(chunk: number) {
    super(`chunk ${chunk} is not the one that was sealed`);
    this.chunk = chunk;
  }
}

/**
 * The cipher of a file. `noncePrefix` has 7 bytes that never come twice under one file key. Throws
 * TypeError on a wrong length or a malformed id.
 */
export async function fileCipher(
  fileKey: Uint8Array,
  place: FilePlace,
  noncePrefix: Uint8Array,
  header: Uint8Array,
): Promise<FileCipher> {
  if (noncePrefix.length !== NONCE_PREFIX_BYTES) {
    throw new TypeError(`a nonce prefix has ${NONCE_PREFIX_BYTES} bytes`);
  }
  const bytes = new Uint8Array(deriveFileKey(fileKey, place, "chunks"));
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
  return { key, noncePrefix: noncePrefix.slice(), header: new Uint8Array(header) };
}

/** How many bytes the sealed chunks of `contentBytes` of content have, an empty file's too. */
export function sealedBytes(contentBytes: number): number {
  const chunks = Math.max(1, Math.ceil(contentBytes / FILE_CHUNK_BYTES));
  return contentBytes + chunks * FILE_TAG_BYTES;
}

/**
 * Chunk `index` (from 0) of a file, sealed. Each but the last has exactly `FILE_CHUNK_BYTES`; one
 * index must never be sealed twice with different content. Throws RangeError otherwise.
 */
export async function sealChunk(
  cipher: FileCipher,
  index: number,
  content: Uint8Array,
  isLast: boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const fits = isLast ? content.length <= FILE_CHUNK_BYTES : content.length === FILE_CHUNK_BYTES;
  if (!fits) throw new RangeError(`a chunk of ${content.length} bytes`);
  const parameters = gcm(cipher, index, isLast);
  return new Uint8Array(await crypto.subtle.encrypt(parameters, cipher.key, buffered(content)));
}

/**
 * The content of sealed chunk `index`, or null when it is not that chunk of that file. Throws
 * RangeError only on an index that no file has.
 */
export async function openChunk(
  cipher: FileCipher,
  index: number,
  sealed: Uint8Array,
  isLast: boolean,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const parameters = gcm(cipher, index, isLast);
  const isWhole = sealed.length === SEALED_CHUNK_BYTES;
  if (!isWhole && (!isLast || sealed.length > SEALED_CHUNK_BYTES)) return null;
  if (sealed.length < FILE_TAG_BYTES) return null;
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters, cipher.key, buffered(sealed)));
  } catch (error) {
    if (error instanceof DOMException && error.name === "OperationError") return null;
    throw error;
  }
}

/** Content of any portions in, sealed chunks out, from chunk `firstChunk` to the file's end. */
export function sealingStream(
  cipher: FileCipher,
  firstChunk: number = 0,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  return chunkwise(
    FILE_CHUNK_BYTES,
    firstChunk,
    (chunk, index, isLast) => sealChunk(cipher, index, chunk, isLast),
  );
}

/**
 * Sealed bytes of any portions in, content out, from the first byte of chunk `firstChunk` to the
 * file's end. Fails with `DamagedFile`; what came out before is genuine, but not all of the file.
 */
export function openingStream(
  cipher: FileCipher,
  firstChunk: number = 0,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  return chunkwise(SEALED_CHUNK_BYTES, firstChunk, async (chunk, index, isLast) => {
    const content = await openChunk(cipher, index, chunk, isLast);
    if (content === null) throw new DamagedFile(index);
    return content;
  });
}

type ChunkWork = (
  chunk: Uint8Array<ArrayBuffer>,
  index: number,
  isLast: boolean,
) => Promise<Uint8Array<ArrayBuffer>>;

/** Cuts a stream into chunks of `chunkBytes`; the last one, which may be shorter, is marked. */
function chunkwise(
  chunkBytes: number,
  firstChunk: number,
  work: ChunkWork,
): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> {
  let held = new Uint8Array(chunkBytes);
  let heldBytes = 0;
  let index = firstChunk;
  return new TransformStream({
    async transform(bytes, controller) {
      const running: Promise<Uint8Array<ArrayBuffer>>[] = [];
      for (let at = 0; at < bytes.length;) {
        // A full chunk waits for the next byte: only then it is known not to be the last.
        if (heldBytes === chunkBytes) {
          running.push(work(held, index++, false));
          held = new Uint8Array(chunkBytes);
          heldBytes = 0;
        }
        const part = bytes.subarray(at, at + chunkBytes - heldBytes);
        held.set(part, heldBytes);
        heldBytes += part.length;
        at += part.length;
      }
      // In their order, failures too: the first chunk that is damaged is the one that is named.
      for (const done of await Promise.allSettled(running)) {
        if (done.status === "rejected") throw done.reason;
        controller.enqueue(done.value);
      }
    },
    async flush(controller) {
      const done = await work(held.slice(0, heldBytes), index, true);
      if (done.length > 0) controller.enqueue(done);
    },
  });
}

function gcm(cipher: FileCipher, index: number, isLast: boolean): AesGcmParams {
  if (!Number.isInteger(index) || index < 0 || index >= MAX_CHUNKS) {
    throw new RangeError(`no file has a chunk ${index}`);
  }
  const iv = new Uint8Array(NONCE_BYTES);
  iv.set(cipher.noncePrefix);
  new DataView(iv.buffer).setUint32(COUNTER_AT, index);
  iv[LAST_AT] = isLast ? 1 : 0;
  return { name: "AES-GCM", iv, additionalData: cipher.header, tagLength: FILE_TAG_BYTES * 8 };
}

/** WebCrypto takes no view of shared memory; what is none already is passed as it is. */
function buffered(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? bytes as Uint8Array<ArrayBuffer>
    : new Uint8Array(bytes);
}
