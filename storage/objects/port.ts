/**
 * The objects port: bytes too large for the database, each under a name in a mesh's own bucket. An object comes into
 * being as an upload that may take many pieces and survive restarts, and never changes afterwards.
 */

/** Where an object is. `object_name.ts` makes these and says what they may be made of. */
export interface ObjectName {
  readonly bucket: string;
  /** Segments with slashes. */
  readonly key: string;
}

/** An object that is not whole yet. */
export interface ObjectUpload extends ObjectName {
  /** What `begin` returned; opaque. */
  readonly ref: string;
}

export interface ObjectStat {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/** A part of an object. */
export interface ByteRange {
  /** The first byte. */
  readonly from: number;
  readonly length: number;
}

/** Bytes that are being read; `close` it whatever happens. */
export interface ObjectReader {
  /**
   * Puts the next bytes at the beginning of `into`, which is not empty.
   * @returns how many; 0 after the last.
   * @throws {ObjectsError} when they cannot be read.
   */
  read(into: Uint8Array): Promise<number>;
  /** Idempotent; a `read` under way ends. */
  close(): Promise<void>;
}

/** An entry of a bucket. */
export interface ListedObject extends ObjectStat {
  readonly key: string;
}

/** How a download is signed. */
export interface PresignOptions {
  /** Where peers reach the broker, without a trailing slash. */
  readonly brokerUrl: string;
  readonly nowMs: number;
  readonly lifeMs: number;
  /** Comes back when the broker is asked to serve the URL; an object server of its own ignores it. */
  readonly label: string;
}

/** A store of objects. Every method rejects with ObjectsError. */
export interface Objects {
  readonly driver: "folder" | "s3";
  /** Where the bytes are, for people: a folder, or a server without its secrets. */
  readonly place: string;
  /**
   * Begins an upload; its bucket is made if it is not there.
   * @returns a reference to be kept with the name until `finish` or `abort`.
   */
  begin(name: ObjectName): Promise<string>;
  /**
   * How many bytes of an upload are stored and will be there after a restart.
   * @throws `not_found` when there is no such upload, nor an object of its name that it has become.
   */
  offset(upload: ObjectUpload): Promise<number>;
  /**
   * Writes `chunks` from `offset` on, in memory that does not grow with them; a chunk's bytes are the sender's own
   * again when the next one is asked for. One `append` at a time for each upload.
   * @returns the new offset: that many bytes are on disk, also after a power cut. When `chunks` throws, what came
   *   before is kept and that error is thrown.
   * @throws `wrong_offset` when the upload stands elsewhere; `full`: the space that this call took is given back.
   */
  append(
    upload: ObjectUpload,
    offset: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number>;
  /**
   * Turns an upload into the object, whole or not at all, durably. Done twice, the second time changes nothing.
   * @throws `not_found` when there is neither.
   */
  finish(upload: ObjectUpload): Promise<ObjectStat>;
  /** Drops an upload and its bytes; harmless when there is none. */
  abort(upload: ObjectUpload): Promise<void>;
  /** Opens an object for reading, all of it or a part, which must lie inside. @throws `not_found`. */
  open(name: ObjectName, range?: ByteRange): Promise<ObjectReader>;
  /** null: there is no such object. */
  stat(name: ObjectName): Promise<ObjectStat | null>;
  /** Removes an object; harmless when there is none. */
  remove(name: ObjectName): Promise<void>;
  /** The objects of a bucket, in no particular order; none when there is no such bucket. */
  list(bucket: string): AsyncIterable<ListedObject>;
  /** The uploads of a bucket that are neither finished nor dropped, with the time of their last write or begin. */
  listUnfinished(bucket: string): AsyncIterable<ListedUpload>;
  /** A URL that reads this object until it expires, and permits nothing else. */
  presignGet(name: ObjectName, options: PresignOptions): Promise<string>;
  /** Bytes that can still be stored; null where nobody can tell. */
  freeBytes(): Promise<number | null>;
  /** Rejects when the store cannot be used. */
  ping(): Promise<void>;
  /** Ends reads and writes under way. Idempotent. */
  close(): Promise<void>;
}

/** An unfinished upload of a bucket. */
export interface ListedUpload {
  readonly key: string;
  readonly ref: string;
  readonly touchedAtMs: number;
}

/**
 * What a failure means to the caller: `not_found`; `wrong_offset` (`offset` has the right one); `full` (the disk);
 * `unavailable` (no connection, or closed; try again later); `other`.
 */
export type ObjectsErrorKind = "not_found" | "wrong_offset" | "full" | "unavailable" | "other";

/** A failure of the store; its message may go to a log. */
export class ObjectsError extends Error {
  override readonly name = "ObjectsError";
  readonly kind: ObjectsErrorKind;
  /** Of `wrong_offset`: where the upload stands. */
  readonly offset: number | null;

  constructor(
    kind: ObjectsErrorKind,
    message: string,
    options: { readonly cause?: unknown; readonly offset?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.offset = options.offset ?? null;
  }
}
