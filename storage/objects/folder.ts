/**
 * Objects as files under a folder: `<root>/<bucket>/<key>`. An upload is a file under `<root>/<bucket>/.unfinished`,
 * of which the length is the offset; finishing it is a rename. Everything that is promised has been flushed, files
 * and folders both.
 */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  FileReader,
  filesUnder,
  flushFolder,
  makeFolders,
  objectsError,
  removeEmptyFolder,
  removeFile,
  translated,
  writeAll,
} from "./folder_files.ts";
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
import type { SignedUrls } from "./signed_urls.ts";

/** Segments of keys never begin with a dot. */
const UNFINISHED = ".unfinished";
/** References of uploads tell nothing here: the name does. */
const REF = "file";

export class FolderObjects implements Objects {
  readonly driver = "folder";
  readonly place: string;
  readonly #root: string;
  readonly #urls: SignedUrls;
  readonly #closing = new AbortController();
  readonly #readers = new Set<ObjectReader>();

  /** @param root absolute path; made when first needed. */
  constructor({ root, urls }: { root: string; urls: SignedUrls }) {
    this.#root = root;
    this.place = root;
    this.#urls = urls;
  }

  async begin(name: ObjectName): Promise<string> {
    const path = this.#unfinishedPath(name);
    await translated(async () => {
      await makeFolders(this.#root, dirname(path));
      const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
      file.close();
      await flushFolder(dirname(path));
    });
    return REF;
  }

  async offset(upload: ObjectUpload): Promise<number> {
    const { size } = await translated(() => this.#statUpload(upload));
    return size;
  }

  async append(
    upload: ObjectUpload,
    offset: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const stands = await this.offset(upload);
    if (stands !== offset) throw wrongOffset(stands);
    let file: Deno.FsFile;
    try {
      file = await Deno.open(this.#unfinishedPath(upload), { write: true });
    } catch (error) {
      // It has become its object: there is nothing left to write.
      if (error instanceof Deno.errors.NotFound) return stands;
      throw objectsError(error);
    }
    try {
      return await this.#write(file, offset, chunks);
    } finally {
      file.close();
    }
  }

  async #write(
    file: Deno.FsFile,
    offset: number,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    await file.seek(offset, Deno.SeekMode.Start);
    let end = offset;
    try {
      for await (const chunk of piecesUntil(chunks, this.#closing.signal)) {
        await translated(() => writeAll(file, chunk));
        end += chunk.length;
      }
    } catch (error) {
      // What the disk took before it was full would keep others from their space.
      if (error instanceof ObjectsError && error.kind === "full") {
        await translated(() => file.truncate(offset));
      }
      await translated(() => file.syncData());
      throw error;
    }
    await translated(() => file.syncData());
    return end;
  }

  async finish(upload: ObjectUpload): Promise<ObjectStat> {
    const [from, to] = [this.#unfinishedPath(upload), this.#path(upload)];
    return await translated(async () => {
      await makeFolders(this.#root, dirname(to));
      try {
        await Deno.rename(from, to);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        // Done before, or never begun: the object itself tells.
      }
      await flushFolder(dirname(to));
      await removeEmptyFolder(dirname(from));
      return statOf(await Deno.stat(to));
    });
  }

  async abort(upload: ObjectUpload): Promise<void> {
    await removeFile(this.#unfinishedPath(upload));
  }

  async open(name: ObjectName, range?: ByteRange): Promise<ObjectReader> {
    if (this.#closing.signal.aborted) {
      throw new ObjectsError("unavailable", "the store of objects is closed");
    }
    const file = await translated(() => Deno.open(this.#path(name), { read: true }));
    if (range !== undefined) await file.seek(range.from, Deno.SeekMode.Start);
    const reader = new FileReader(file, range?.length ?? Infinity, () => {
      this.#readers.delete(reader);
    });
    this.#readers.add(reader);
    return reader;
  }

  async stat(name: ObjectName): Promise<ObjectStat | null> {
    try {
      return await translated(async () => statOf(await Deno.stat(this.#path(name))));
    } catch (error) {
      if (error instanceof ObjectsError && error.kind === "not_found") return null;
      throw error;
    }
  }

  async remove(name: ObjectName): Promise<void> {
    await removeFile(this.#path(name));
  }

  async *list(bucket: string): AsyncIterable<ListedObject> {
    requireBucket(bucket);
    const base = join(this.#root, bucket);
    for await (const key of filesUnder(base, "")) {
      const stat = await this.stat({ bucket, key });
      // It may have been removed since the folder was read.
      if (stat !== null) yield { key, ...stat };
    }
  }

  async *listUnfinished(bucket: string): AsyncIterable<ListedUpload> {
    requireBucket(bucket);
    const base = join(this.#root, bucket, UNFINISHED);
    for await (const key of filesUnder(base, "")) {
      const found = await Deno.stat(join(base, key)).catch(() => null);
      if (found !== null) {
        yield { key, ref: REF, touchedAtMs: statOf(found).modifiedAtMs };
      }
    }
  }

  presignGet(name: ObjectName, options: PresignOptions): Promise<string> {
    requireObjectName(name);
    const { bucket, key } = name;
    const { label, nowMs, lifeMs } = options;
    const expiresAtMs = nowMs + lifeMs;
    const token = this.#urls.sign({ purpose: "get", bucket, key, label, expiresAtMs });
    return Promise.resolve(`${options.brokerUrl}/files/${token}`);
  }

  async freeBytes(): Promise<number | null> {
    return await translated(async () => {
      await Deno.mkdir(this.#root, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    });
  }

  async ping(): Promise<void> {
    await this.freeBytes();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
  }

  #path(name: ObjectName): string {
    requireObjectName(name);
    return join(this.#root, name.bucket, ...name.key.split("/"));
  }

  #unfinishedPath(name: ObjectName): string {
    requireObjectName(name);
    return join(this.#root, name.bucket, UNFINISHED, ...name.key.split("/"));
  }

  async #statUpload(upload: ObjectUpload): Promise<Deno.FileInfo> {
    try {
      return await Deno.stat(this.#unfinishedPath(upload));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return await Deno.stat(this.#path(upload));
    }
  }
}

function wrongOffset(offset: number): ObjectsError {
  return new ObjectsError("wrong_offset", `the upload stands at ${offset}`, { offset });
}

function statOf(info: Deno.FileInfo): ObjectStat {
  return { sizeBytes: info.size, modifiedAtMs: info.mtime?.getTime() ?? 0 };
}
