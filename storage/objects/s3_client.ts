/**
 * MinIO's client with the few requests that it keeps to itself, and its failures as the port tells them.
 */
import { Client } from "minio";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { ObjectsError, type ObjectUpload } from "./port.ts";

/** How the object server is reached. */
export interface S3Server {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A stored part of an upload. */
export interface StoredPart {
  readonly part: number;
  readonly etag: string;
  readonly size: number;
}

/** The region that servers without regions call theirs; naming it saves a question per bucket. */
const REGION = "us-east-1";

export class S3Client extends Client {
  constructor({ host, port, secure, accessKey, secretKey }: S3Server) {
    super({ endPoint: host, port, useSSL: secure, accessKey, secretKey, region: REGION });
  }

  /** The parts of an upload by number; null when there is no such upload. */
  async storedParts({ bucket, key, ref }: ObjectUpload): Promise<StoredPart[] | null> {
    try {
      const parts = await this.listParts(bucket, key, ref);
      return parts.map(({ part, etag, size }) => ({ part, etag, size: Number(size) }))
        .sort((left, right) => left.part - right.part);
    } catch (error) {
      if (codeOf(error) === "NoSuchUpload" || codeOf(error) === "NoSuchBucket") return null;
      throw error;
    }
  }

  /** Stores one part; each but the last has at least 5 MiB. */
  async storePart(
    { bucket, key, ref }: ObjectUpload,
    partNumber: number,
    bytes: Uint8Array,
  ): Promise<void> {
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const response = await this.makeRequestAsync({
      method: "PUT",
      bucketName: bucket,
      objectName: key,
      query: `partNumber=${partNumber}&uploadId=${encodeURIComponent(ref)}`,
      headers: {
        "content-length": String(body.length),
        "content-md5": createHash("md5").update(body).digest("base64"),
      },
    }, body);
    // The connection is free for the next part only when the answer has been read.
    response.resume();
  }
}

/** The error code of the server, or of the system when there was no answer. */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? "");
}

const ABSENT: ReadonlySet<string> = new Set([
  "NoSuchKey",
  "NoSuchBucket",
  "NoSuchUpload",
  "NotFound",
]);
const FULL: ReadonlySet<string> = new Set([
  "XMinioStorageFull",
  "InsufficientStorage",
  "QuotaExceeded",
  "XMinioAdminBucketQuotaExceeded",
]);
const DENIED: ReadonlySet<string> = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
]);

/** Runs `run`; its failures come as ObjectsError, without what a server may say of keys. */
export async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw objectsError(error);
  }
}

/** Does something about what may not be there. */
export async function ifThere(run: () => Promise<unknown>): Promise<void> {
  try {
    await translated(run);
  } catch (error) {
    if (!(error instanceof ObjectsError && error.kind === "not_found")) throw error;
  }
}

function objectsError(error: unknown): Error {
  if (error instanceof ObjectsError || error instanceof TypeError) return error;
  const code = codeOf(error);
  if (ABSENT.has(code)) return new ObjectsError("not_found", "there is no such object");
  if (FULL.has(code)) {
    return new ObjectsError("full", `the object server is full (${code})`, { cause: error });
  }
  if (DENIED.has(code)) {
    return new ObjectsError("other", `the object server refuses the keys (${code})`);
  }
  // What is left is a server that does not answer, or not in time.
  return new ObjectsError("unavailable", `the object server failed (${code || "no answer"})`, {
    cause: error,
  });
}
