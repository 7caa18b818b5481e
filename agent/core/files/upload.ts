/**
 * Shares a file of this disk: hashes it, seals it part by part, sends it with as many connections as it takes, and hands
 * its key to who may read it. Never more than a few megabytes of it are in memory.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, isAbsolute } from "node:path";
import type { FileView } from "../../../broker/api/file_fields.ts";
import { type FileUpload, fileUploads } from "../../../broker/api/file_uploads.ts";
import { MeshError } from "../../../broker/api/errors.ts";
import { sharedFiles } from "../../../broker/api/shared_files.ts";
import { sealFileHeader } from "../../../crypto/file_header.ts";
import { newFileKey, wrapFileKey } from "../../../crypto/file_key.ts";
import { fileCipher, NONCE_PREFIX_BYTES } from "../../../crypto/file_stream.ts";
import { sealKeyFor } from "../../../crypto/mesh_key.ts";
import { randomBytes } from "../../../crypto/random.ts";
import { LocalError } from "../local_error.ts";
import { waitingForKey } from "../message_sealer.ts";
import { OtherOffset, sendPart, transferUrl } from "./file_http.ts";
import { Persistence } from "./persistence.ts";
import { safeFileName } from "./safe_file_name.ts";
import { changed, ciphertextBytes, hashFile, SealedParts } from "./sealed_parts.ts";
import type { SealedPart } from "./sealed_parts.ts";
import type { TransferControl, TransferWorld } from "./transfer.ts";

export interface ShareRequest {
  /** Absolute. */
  readonly path: string;
  /** What it is called; the file's own name by default. */
  readonly name?: string;
  readonly tags?: readonly string[];
  /** False: it goes by itself, after `expiresInMs` or a day. */
  readonly persistent?: boolean;
  readonly expiresInMs?: number;
  /** Keys of the members that may read it; null for the whole mesh. */
  readonly readers: readonly string[] | null;
}

export interface SharedResult {
  readonly file: FileView;
  /** SHA-256 of the content, 64 hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

const MAX_STALE_TRIES = 5;
/** The broker reads all of a large file once more before it answers. */
const COMMIT_TIMEOUT_MS = 120_000;

/**
 * Shares a file. @throws {MeshError} as the broker refuses, {LocalError} `not_found`, `invalid_file`, `too_large`,
 * `waiting_for_key`, `offline`; the signal's reason when it is aborted. Nothing is shared then.
 */
export async function uploadFile(
  world: TransferWorld,
  request: ShareRequest,
  control: TransferControl,
): Promise<SharedResult> {
  if (request.readers === null && world.currentKey() === null) throw waitingForKey();
  const name = safeFileName(request.name ?? basename(request.path));
  const handle = await openToShare(request.path);
  try {
    const { size } = await handle.stat();
    let readBytes = 0;
    const sha256 = await hashFile(handle, size, control.signal, (count) => {
      readBytes += count;
      control.onProgress({ phase: "reading", doneBytes: readBytes, totalBytes: size });
    });
    return await new Upload(world, { ...request, name }, control).run(handle, size, sha256);
  } finally {
    await handle.close();
  }
}

class Upload {
  readonly #world: TransferWorld;
  readonly #request: ShareRequest & { readonly name: string };
  readonly #control: TransferControl;
  readonly #persistence: Persistence;
  readonly #fileKey = newFileKey();

  constructor(
    world: TransferWorld,
    request: ShareRequest & { readonly name: string },
    control: TransferControl,
  ) {
    this.#world = world;
    this.#request = request;
    this.#control = control;
    this.#persistence = new Persistence(world.clock, control.signal);
  }

  async run(handle: FileHandle, sizeBytes: number, sha256: string): Promise<SharedResult> {
    const { name, tags, persistent, expiresInMs } = this.#request;
    const upload = await this.#persistence.until(() =>
      this.#world.call(fileUploads.startFileUpload, {
        name,
        size: ciphertextBytes(sizeBytes),
        ...(tags === undefined ? {} : { tags: [...tags] }),
        ...(persistent === undefined ? {} : { persistent }),
        ...(expiresInMs === undefined ? {} : { expiresInMs }),
      })
    );
    try {
      const sealed = await this.#send(handle, upload, sizeBytes, sha256);
      const file = await this.#commit(upload.fileId, sealed);
      return { file, sha256, sizeBytes };
    } catch (error) {
      await this.#cancel(upload.fileId);
      throw error;
    }
  }

  /** Sends everything; returns the SHA-256 of the ciphertext. */
  async #send(
    handle: FileHandle,
    started: FileUpload,
    sizeBytes: number,
    sha256: string,
  ): Promise<string> {
    const cipher = await this.#cipher(started.fileId, sizeBytes, sha256);
    const parts = new SealedParts(handle, cipher, sizeBytes);
    try {
      let upload = started;
      for (let part = await parts.next(); part !== null; part = await parts.next()) {
        upload = await this.#sendPart(upload, part);
      }
    } finally {
      await parts.end();
    }
    const digests = parts.digests();
    const { size } = await handle.stat();
    if (digests.content !== sha256 || size !== sizeBytes) throw changed();
    return digests.sealed;
  }

  async #cipher(fileId: string, sizeBytes: number, sha256: string) {
    const { meshId, member, clock } = this.#world;
    const noncePrefix = randomBytes(NONCE_PREFIX_BYTES);
    const facts = {
      mesh: meshId,
      file: fileId,
      name: this.#request.name,
      sizeBytes,
      sha256,
      by: member.publicKey,
      sharedAt: clock.now(),
    };
    const header = await sealFileHeader(facts, this.#fileKey, noncePrefix, member.secretKey);
    return await fileCipher(this.#fileKey, { meshId, fileId }, noncePrefix, header);
  }

  /** Sends one part, on new addresses where the old one has ended; returns the upload as it stands then. */
  async #sendPart(started: FileUpload, part: SealedPart): Promise<FileUpload> {
    const { brokerUrl } = this.#world;
    const { signal } = this.#control;
    const end = part.offset + part.bytes.length;
    let upload = started;
    while (upload.offset < end) {
      if (upload.offset < part.offset) {
        throw new LocalError("bad_answer", "the broker has lost a part of the upload", {
          hint: "share the file again",
        });
      }
      try {
        const url = transferUrl(upload, brokerUrl);
        const rest = part.bytes.subarray(upload.offset - part.offset);
        const offset = await sendPart(url, upload.offset, rest, signal);
        upload = this.#movedTo(upload, offset);
      } catch (error) {
        signal.throwIfAborted();
        upload = error instanceof OtherOffset
          ? this.#movedTo(upload, error.offset)
          : await this.#resumed(upload, error);
      }
    }
    return upload;
  }

  #movedTo(upload: FileUpload, offset: number): FileUpload {
    if (offset > upload.offset) this.#persistence.progressed();
    const totalBytes = upload.size;
    this.#control.onProgress({ phase: "sending", doneBytes: offset, totalBytes });
    return { ...upload, offset };
  }

  /** A new address after one has ended, or after the pause that the failure asks for. */
  async #resumed(upload: FileUpload, error: unknown): Promise<FileUpload> {
    await this.#persistence.pauseAfter(error);
    const { fileId } = upload;
    for (;;) {
      try {
        return await this.#world.call(fileUploads.resumeFileUpload, { fileId });
      } catch (failure) {
        await this.#persistence.pauseAfter(failure);
      }
    }
  }

  /** Hands the key over and makes the file visible. */
  async #commit(fileId: string, sha256: string): Promise<FileView> {
    const { call, refreshKeys } = this.#world;
    const options = { timeoutMs: COMMIT_TIMEOUT_MS };
    for (let tries = 1;; tries++) {
      const keys = this.#keys(fileId);
      try {
        const input = { fileId, sha256, ...keys };
        const commit = () => call(fileUploads.commitFileUpload, input, options);
        return (await this.#persistence.until(commit)).file;
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        // An answer that was lost: the upload is gone because the file is there.
        if (error.code === "not_found") return await this.#committed(fileId, error);
        if (error.code !== "stale_epoch" || tries === MAX_STALE_TRIES) throw error;
        await refreshKeys();
      }
    }
  }

  async #committed(fileId: string, notFound: MeshError): Promise<FileView> {
    try {
      return (await this.#world.call(sharedFiles.fileStatus, { fileId })).file;
    } catch (error) {
      throw error instanceof MeshError && error.code === "not_found" ? notFound : error;
    }
  }

  #keys(fileId: string) {
    const { member } = this.#world;
    const { readers } = this.#request;
    if (readers === null) {
      const current = this.#world.currentKey();
      if (current === null) throw waitingForKey();
      const { epoch, key } = current;
      return { epoch, wrappedKey: wrapFileKey(this.#fileKey, key, fileId) };
    }
    const sealedKeys = [...new Set([member.publicKey, ...readers])]
      .map((pubkey) => ({ pubkey, sealedKey: sealKeyFor(pubkey, this.#fileKey) }));
    return { sealedKeys };
  }

  async #cancel(fileId: string): Promise<void> {
    try {
      await this.#world.call(fileUploads.cancelFileUpload, { fileId });
    } catch (error) {
      // The broker drops an upload by itself that nobody goes on with.
      if (!(error instanceof MeshError) && !(error instanceof LocalError)) throw error;
    }
  }
}

async function openToShare(path: string): Promise<FileHandle> {
  if (!isAbsolute(path)) {
    throw new LocalError("invalid_argument", `"${path}" is no absolute path`);
  }
  let handle: FileHandle;
  try {
    // A pipe must not hold anybody up.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as { code?: unknown };
    const isAbsent = code === "ENOENT" || code === "ENOTDIR";
    const why = isAbsent ? "there is no such file" : `it cannot be read (${String(code)})`;
    throw new LocalError(isAbsent ? "not_found" : "invalid_file", `"${path}": ${why}`);
  }
  const found = await handle.stat();
  if (found.isFile()) return handle;
  await handle.close();
  throw new LocalError("invalid_file", `"${path}" is no ordinary file`, {
    hint: found.isDirectory()
      ? "pack it first, for example: tar czf folder.tgz folder"
      : "copy what it gives into a file first",
  });
}
