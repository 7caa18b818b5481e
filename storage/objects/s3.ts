/**
 * Objects on an S3 server. An upload is a multipart upload; what is left over after its last whole part is kept as
 * an object of its own beside it (the tail), because a server takes no small part before the last. So an upload goes
 * on at any byte, in the memory of one part.
 */
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { FillingPart } from "./filling_part.ts";
import { requireBucket, requireObjectName } from "./object_name.ts";
import { piecesUntil } from "./pieces.ts";
import {
  type ByteRange,
  type ListedObject,
  type ListedUpload,
  type ObjectName,
  type ObjectReader,
  type Objects,
  ObjectsError,
  type ObjectStat,
  type ObjectUpload,
  type PresignOptions,
} from "./port.ts";
import {
  codeOf,
  ifThere,
  S3Client,
  type S3Server,
  type StoredPart,
  translated,
} from "./s3_client.ts";
import { StreamReader } from "./stream_reader.ts";
import type { SignedUrls } from "./signed_urls.ts";

/** The least that a server takes; 10,000 parts of it, the most, are 48 GiB. */
const PART_BYTES = 5_242_880;
const TAILS = "unfinished/";
/** Metadata of a tail: how many bytes the parts before it have. One that tells another number is of an earlier time. */
const AFTER = "claudemesh-after";

/** Where an upload stands. */
interface Standing {
  readonly parts: readonly StoredPart[];
  readonly partsBytes: number;
  readonly tailBytes: number;
}

/** An entry of the server's list of multipart uploads. */
interface IncompleteUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: Date | string;
}

export interface S3Options {
  readonly server: S3Server;
  /** The server as peers reach it, when they do; null: the broker hands the bytes on. */
  readonly publicServer: S3Server | null;
  readonly urls: SignedUrls;
}

export class S3Objects implements Objects {
  readonly driver = "s3";
  readonly place: string;
  readonly #client: S3Client;
  readonly #publicClient: S3Client | null;
  readonly #urls: SignedUrls;
  readonly #closing = new AbortController();
  readonly #readers = new Set<ObjectReader>();
  readonly #buckets = new Set<string>();

  constructor({ server, publicServer, urls }: S3Options) {
    this.#client = new S3Client(server);
    this.#publicClient = publicServer === null ? null : new S3Client(publicServer);
    this.#urls = urls;
    this.place = `${server.secure ? "https" : "http"}://${server.host}:${server.port}`;
  }

  async begin(name: ObjectName): Promise<string> {
    requireObjectName(name);
    return await translated(async () => {
      await this.#makeBucket(name.bucket);
      const headers = { "content-type": "application/octet-stream" };
      return await this.#client.initiateNewMultipartUpload(name.bucket, name.key, headers);
    });
  }

  async offset(upload: ObjectUpload): Promise<number> {
    requireObjectName(upload);
    const standing = await translated(() => this.#standing(upload));
    if (standing !== null) return standing.partsBytes + standing.tailBytes;
    return (await this.#finished(upload)).sizeBytes;
  }

  async append(
    upload: ObjectUpload,
    offset: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    requireObjectName(upload);
    const standing = await translated(() => this.#standing(upload));
    const stands = standing === null
      ? (await this.#finished(upload)).sizeBytes
      : standing.partsBytes + standing.tailBytes;
    if (stands !== offset) {
      throw new ObjectsError("wrong_offset", `the upload stands at ${stands}`, { offset: stands });
    }
    // It has become its object: there is nothing left to write.
    if (standing === null) return stands;
    const filling = new FillingPart(PART_BYTES);
    if (standing.tailBytes > 0) filling.add(await this.#tail(upload));
    return await this.#store(upload, standing, filling, chunks);
  }

  async #store(
    upload: ObjectUpload,
    { parts, partsBytes }: Standing,
    filling: FillingPart,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    let stored = partsBytes;
    let next = (parts.at(-1)?.part ?? 0) + 1;
    const before = filling.bytes.length;
    try {
      for await (const chunk of piecesUntil(chunks, this.#closing.signal)) {
        for (let rest = filling.add(chunk); filling.isFull; rest = filling.add(rest)) {
          await translated(() => this.#client.storePart(upload, next, filling.bytes));
          next += 1;
          stored += filling.bytes.length;
          filling.clear();
        }
      }
    } catch (error) {
      // The server may be what failed; what it has is what the next offset tells.
      if (!(error instanceof ObjectsError)) await this.#keepTail(upload, stored, filling.bytes);
      throw error;
    }
    const isNew = stored !== partsBytes || filling.bytes.length !== before;
    if (isNew) await this.#keepTail(upload, stored, filling.bytes);
    return stored + filling.bytes.length;
  }

  async finish(upload: ObjectUpload): Promise<ObjectStat> {
    requireObjectName(upload);
    const { bucket, key, ref } = upload;
    return await translated(async () => {
      const standing = await this.#standing(upload);
      if (standing === null) return await this.#finished(upload);
      const { parts, partsBytes, tailBytes } = standing;
      if (partsBytes + tailBytes === 0) {
        await this.#client.putObject(bucket, key, Buffer.alloc(0), 0);
        await this.#client.abortMultipartUpload(bucket, key, ref);
        return await this.#finished(upload);
      }
      if (tailBytes > 0) {
        await this.#client.storePart(upload, parts.length + 1, await this.#tail(upload));
      }
      const whole = await this.#client.storedParts(upload) ?? [];
      await this.#client.completeMultipartUpload(
        bucket,
        key,
        ref,
        whole.map(({ part, etag }) => ({ part, etag })),
      );
      await this.#client.removeObject(bucket, tailKey(key));
      return await this.#finished(upload);
    });
  }

  async abort(upload: ObjectUpload): Promise<void> {
    requireObjectName(upload);
    const { bucket, key, ref } = upload;
    await ifThere(() => this.#client.abortMultipartUpload(bucket, key, ref));
    await ifThere(() => this.#client.removeObject(bucket, tailKey(key)));
  }

  async open(name: ObjectName, range?: ByteRange): Promise<ObjectReader> {
    requireObjectName(name);
    if (this.#closing.signal.aborted) {
      throw new ObjectsError("unavailable", "the store of objects is closed");
    }
    const { bucket, key } = name;
    const stream: Readable = await translated(() =>
      range === undefined
        ? this.#client.getObject(bucket, key)
        : this.#client.getPartialObject(bucket, key, range.from, range.length)
    );
    const reader = new StreamReader(stream, translated, () => {
      this.#readers.delete(reader);
    });
    this.#readers.add(reader);
    return reader;
  }

  async stat(name: ObjectName): Promise<ObjectStat | null> {
    requireObjectName(name);
    try {
      return await translated(async () => {
        const { size, lastModified } = await this.#client.statObject(name.bucket, name.key);
        return { sizeBytes: size, modifiedAtMs: lastModified.getTime() };
      });
    } catch (error) {
      if (error instanceof ObjectsError && error.kind === "not_found") return null;
      throw error;
    }
  }

  async remove(name: ObjectName): Promise<void> {
    requireObjectName(name);
    await ifThere(() => this.#client.removeObject(name.bucket, name.key));
  }

  async *list(bucket: string): AsyncIterable<ListedObject> {
    requireBucket(bucket);
    for await (const item of listed(this.#client.listObjectsV2(bucket, "", true))) {
      const { name, size, lastModified } = item;
      if (name === undefined || name.startsWith(TAILS)) continue;
      yield { key: name, sizeBytes: size, modifiedAtMs: lastModified?.getTime() ?? 0 };
    }
  }

  async *listUnfinished(bucket: string): AsyncIterable<ListedUpload> {
    requireBucket(bucket);
    const uploads = this.#client.listIncompleteUploads(bucket, "", true);
    // The client's own type leaves the time out.
    for await (const item of listed(uploads as AsyncIterable<IncompleteUpload>)) {
      const touchedAtMs = new Date(item.initiated).getTime();
      yield { key: item.key, ref: item.uploadId, touchedAtMs };
    }
  }

  async presignGet(name: ObjectName, options: PresignOptions): Promise<string> {
    requireObjectName(name);
    const { bucket, key } = name;
    const { brokerUrl, nowMs, lifeMs, label } = options;
    if (this.#publicClient !== null) {
      const seconds = Math.ceil(lifeMs / 1000);
      return await this.#publicClient.presignedGetObject(
        bucket,
        key,
        seconds,
        {},
        new Date(nowMs),
      );
    }
    const expiresAtMs = nowMs + lifeMs;
    return `${brokerUrl}/files/${
      this.#urls.sign({ purpose: "get", bucket, key, label, expiresAtMs })
    }`;
  }

  freeBytes(): Promise<number | null> {
    return Promise.resolve(null);
  }

  async ping(): Promise<void> {
    await translated(() => this.#client.bucketExists("mesh-of-nobody"));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
  }

  async #makeBucket(bucket: string): Promise<void> {
    if (this.#buckets.has(bucket)) return;
    if (!await this.#client.bucketExists(bucket)) {
      try {
        await this.#client.makeBucket(bucket);
      } catch (error) {
        if (codeOf(error) !== "BucketAlreadyOwnedByYou") throw error;
      }
    }
    this.#buckets.add(bucket);
  }

  /** null: there is no such upload, at least not any more. */
  async #standing(upload: ObjectUpload): Promise<Standing | null> {
    const parts = await this.#client.storedParts(upload);
    if (parts === null) return null;
    const partsBytes = parts.reduce((sum, { size }) => sum + size, 0);
    let tailBytes = 0;
    await ifThere(async () => {
      const { bucket, key } = upload;
      const { size, metaData } = await this.#client.statObject(bucket, tailKey(key));
      if (Number(metaData[AFTER]) === partsBytes) tailBytes = size;
    });
    return { parts, partsBytes, tailBytes };
  }

  async #finished(upload: ObjectUpload): Promise<ObjectStat> {
    const stat = await this.stat(upload);
    if (stat === null) throw new ObjectsError("not_found", "there is no such upload");
    return stat;
  }

  async #tail({ bucket, key }: ObjectUpload): Promise<Uint8Array> {
    const stream: Readable = await this.#client.getObject(bucket, tailKey(key));
    return Buffer.concat(await stream.toArray());
  }

  async #keepTail(upload: ObjectUpload, after: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const { bucket, key } = upload;
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const metadata = { [`x-amz-meta-${AFTER}`]: String(after) };
    await translated(() =>
      this.#client.putObject(bucket, tailKey(key), body, body.length, metadata)
    );
  }
}

function tailKey(key: string): string {
  return TAILS + key;
}

/** The items of a listing; a bucket that is not there has none. */
async function* listed<T>(items: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* items;
  } catch (error) {
    if (codeOf(error) === "NoSuchBucket") return;
    // It fails as it would elsewhere.
    await translated(() => Promise.reject(error));
  }
}
