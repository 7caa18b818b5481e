/** Tests of sealed file chunks, with noble's AES-GCM and HKDF as second implementation. */
import assert from "node:assert/strict";
import { gcm } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { concatBytes, toHex, utf8Encode } from "./bytes.ts";
import { newFileKey } from "./file_key.ts";
import {
  DamagedFile,
  FILE_CHUNK_BYTES,
  fileCipher,
  openChunk,
  openingStream,
  sealChunk,
  SEALED_CHUNK_BYTES,
  sealedBytes,
  sealingStream,
} from "./file_stream.ts";

const place = { meshId: "mesh_1", fileId: "file_1" };
const fileKey = new Uint8Array(32).fill(5);
const noncePrefix = new Uint8Array(7).fill(7);
const header = utf8Encode("a header");
const cipher = await fileCipher(fileKey, place, noncePrefix, header);
const small = utf8Encode("file body");

/** The second implementation: a whole file at once, from the description alone. */
function sealWithNoble(content: Uint8Array): Uint8Array {
  const info = utf8Encode("claudemesh/v2/file/chunks|mesh_1|file_1");
  const key = hkdf(sha256, fileKey, undefined, info, 32);
  const count = Math.max(1, Math.ceil(content.length / 65_536));
  const chunks = Array.from({ length: count }, (_, index) => {
    const nonce = new Uint8Array(12);
    nonce.set(noncePrefix);
    new DataView(nonce.buffer).setUint32(7, index);
    nonce[11] = index === count - 1 ? 1 : 0;
    return gcm(key, nonce, header)
      .encrypt(content.slice(index * 65_536, (index + 1) * 65_536));
  });
  return concatBytes(...chunks);
}

/** `length` bytes, each chunk of them different. */
function content(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index ^ (index >> 16) * 41) & 0xff);
}

async function through(
  bytes: Uint8Array,
  stream: TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>,
  portionBytes = 1_000_000,
): Promise<Uint8Array<ArrayBuffer>> {
  let at = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + portionBytes));
      at += portionBytes;
    },
  });
  return new Uint8Array(await new Response(source.pipeThrough(stream)).arrayBuffer());
}

async function damagedAt(bytes: Uint8Array, firstChunk = 0, other = cipher): Promise<number> {
  try {
    await through(bytes, openingStream(other, firstChunk));
  } catch (error) {
    assert.ok(error instanceof DamagedFile, String(error));
    return error.chunk;
  }
  throw new assert.AssertionError({ message: "it opened" });
}

const LENGTHS = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

Deno.test("every length comes back, and is sealed as the second implementation seals it", async () => {
  for (const length of LENGTHS) {
    const plain = content(length);
    const sealed = await through(plain, sealingStream(cipher));
    assert.equal(sealed.length, sealedBytes(length), `${length}`);
    assert.equal(toHex(sealed), toHex(sealWithNoble(plain)), `${length}`);
    assert.deepEqual(await through(sealed, openingStream(cipher)), plain);
  }
});

Deno.test("fixed keys give the golden vectors", async () => {
  const empty = await sealChunk(cipher, 0, new Uint8Array(), true);
  assert.equal(toHex(empty), "37e0ac86cfc87770507bf9ae33fffeeb");
  assert.equal(
    toHex(await sealChunk(cipher, 0, small, true)),
    "d4e2efb16b10f5bac89ad714a11fa3291e9267c3011d562940",
  );
  const long = await through(content(200_000), sealingStream(cipher));
  assert.equal(
    toHex(sha256(long)),
    "3485aa73cd094a4f12cf60f7edc44d7bfbd3092aac21c069fcbcac58dda6af6a",
  );
});

Deno.test("the portions in which a file comes do not matter", async () => {
  const plain = content(150_000);
  const sealed = sealWithNoble(plain);
  const portion = fc.integer({ min: 1_000, max: 140_000 });
  await fc.assert(
    fc.asyncProperty(portion, portion, async (first, second) => {
      assert.deepEqual(await through(plain, sealingStream(cipher), first), sealed);
      assert.deepEqual(await through(sealed, openingStream(cipher), second), plain);
    }),
    { numRuns: 20 },
  );
});

Deno.test("a file opens from any chunk on", async () => {
  const plain = content(200_000);
  const sealed = sealWithNoble(plain);
  for (const chunk of [1, 2, 3]) {
    const rest = sealed.subarray(chunk * SEALED_CHUNK_BYTES);
    const opened = await through(rest, openingStream(cipher, chunk));
    assert.deepEqual(opened, plain.subarray(chunk * FILE_CHUNK_BYTES));
    assert.equal(await damagedAt(rest, chunk - 1), chunk - 1);
  }
});

Deno.test("a file that was cut anywhere is found out", async () => {
  const sealed = sealWithNoble(content(131_072));
  for (const length of [0, 1, 15, 16, SEALED_CHUNK_BYTES, sealed.length - 1]) {
    await damagedAt(sealed.subarray(0, length));
  }
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: sealed.length - 1 }), async (length) => {
      await damagedAt(sealed.subarray(0, length));
    }),
    { numRuns: 30 },
  );
});

Deno.test("a file that was extended, even by genuine chunks, is found out", async () => {
  const sealed = sealWithNoble(content(100_000));
  const first = sealed.subarray(0, SEALED_CHUNK_BYTES);
  const last = sealed.subarray(SEALED_CHUNK_BYTES);
  assert.equal(await damagedAt(concatBytes(sealed, Uint8Array.of(0))), 1);
  assert.equal(await damagedAt(concatBytes(sealed, last)), 1);
  assert.equal(await damagedAt(concatBytes(first, first, last)), 1);
});

Deno.test("swapped, repeated and left out chunks are found out", async () => {
  const sealed = sealWithNoble(content(200_000));
  const at = (index: number) =>
    sealed.subarray(index * SEALED_CHUNK_BYTES, (index + 1) * SEALED_CHUNK_BYTES);
  const orders = [[1, 0, 2, 3], [0, 2, 1, 3], [0, 0, 1, 3], [0, 1, 3], [0, 1, 2], [3]];
  for (const order of orders) await damagedAt(concatBytes(...order.map(at)));
});

Deno.test("a chunk in the middle does not pass for the last one, nor the last for one", async () => {
  const plain = content(FILE_CHUNK_BYTES);
  assert.equal(await openChunk(cipher, 0, await sealChunk(cipher, 0, plain, false), true), null);
  assert.equal(await openChunk(cipher, 0, await sealChunk(cipher, 0, plain, true), false), null);
});

Deno.test("any changed byte is found out, before anything of its chunk comes out", async () => {
  const plain = content(100_000);
  const sealed = sealWithNoble(plain);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: sealed.length - 1 }), fc.integer({ min: 1, max: 255 }), async (
      at,
      change,
    ) => {
      const changed = sealed.slice();
      changed[at]! ^= change;
      assert.equal(await damagedAt(changed), Math.floor(at / SEALED_CHUNK_BYTES));
    }),
    { numRuns: 30 },
  );
});

Deno.test("another key, mesh, file, prefix or header opens nothing", async () => {
  const sealed = sealWithNoble(small);
  const others = [
    await fileCipher(newFileKey(), place, noncePrefix, header),
    await fileCipher(fileKey, { ...place, meshId: "mesh_2" }, noncePrefix, header),
    await fileCipher(fileKey, { ...place, fileId: "file_2" }, noncePrefix, header),
    await fileCipher(fileKey, place, new Uint8Array(7).fill(8), header),
    await fileCipher(fileKey, place, noncePrefix, utf8Encode("a headex")),
  ];
  for (const other of others) assert.equal(await damagedAt(sealed, 0, other), 0);
});

Deno.test("chunks of a wrong length or number are refused where they are sealed", async () => {
  const refused: [number, number, boolean][] = [
    [0, FILE_CHUNK_BYTES - 1, false],
    [0, FILE_CHUNK_BYTES + 1, true],
    [-1, 0, true],
    [0.5, 0, true],
    [2 ** 32, 0, true],
  ];
  for (const [index, length, isLast] of refused) {
    await assert.rejects(sealChunk(cipher, index, new Uint8Array(length), isLast), RangeError);
  }
  assert.equal((await sealChunk(cipher, 2 ** 32 - 1, new Uint8Array(), true)).length, 16);
});

Deno.test("a file of any length is sealed holding a few chunks of it at a time", async () => {
  const portion = new Uint8Array(8 * FILE_CHUNK_BYTES);
  const portions = 128;
  let given = 0;
  let taken = 0;
  let mostAhead = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (given === portions) return controller.close();
      given++;
      mostAhead = Math.max(mostAhead, given * portion.length - taken);
      controller.enqueue(portion);
    },
  }, { highWaterMark: 0 });
  for await (const chunk of source.pipeThrough(sealingStream(cipher))) {
    taken += chunk.length - 16;
  }
  assert.equal(taken, portions * portion.length);
  assert.ok(mostAhead <= 4 * portion.length, `${mostAhead} bytes ahead`);
});
