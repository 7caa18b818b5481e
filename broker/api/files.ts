/**
 * Shared files. Frames: reference protocol 2.6; uploads over the socket are ours, in the place of `POST /upload` with
 * headers (7.3). The relay of files that peers share from their disks is in `peer_files.ts`.
 *
 * Sharing a file (`file_uploads.ts`):
 *  1. `start_file_upload` {name, size of the ciphertext, persistent, tags} -> {fileId, url}. The file id is known
 *     before anything is encrypted, so that keys and header can be bound to it. Size and count are taken off the
 *     mesh's quota.
 *  2. The agent encrypts (CONTRACTS 4) and sends the ciphertext to `url` with PATCH, the offset in `upload-offset`,
 *     in as many requests as it likes. HEAD of `url` tells the offset (`file_transfer.ts` has the HTTP side). An agent
 *     that reaches the broker by another address than its public one puts that before `path` instead.
 *  3. A URL is good for a minute to begin a request with; a request that has begun may take as long as it needs.
 *     After a lost connection or a restart of either side: `resume_file_upload` {fileId} -> {url, offset}.
 *  4. `commit_file_upload` {fileId, sha256 of the ciphertext, and the file key: `wrappedKey` under the current epoch
 *     for the whole mesh, or `sealedKeys` for members, the uploader's own among them}. The broker compares the
 *     SHA-256 (`bad_digest`: the bytes are dropped, start again), and the file is there: who may read it gets the
 *     event `file_shared`. `stale_epoch`: wrap under the new epoch and commit again; the bytes stay.
 *
 * Fetching one (`shared_files.ts`): `get_file` {fileId} -> {url, sha256, size, sealedKey and/or wrappedKeys}; GET
 * `url`, with `Range` to go on where it ended; a URL that has expired is made anew by another `get_file`. Ephemeral
 * files go after a day unless told otherwise, uploads that nobody went on with after a day, deleted ones at once.
 */
import { fileUploads } from "./file_uploads.ts";
import { sharedFileEvents, sharedFiles } from "./shared_files.ts";

export const files = { ...fileUploads, ...sharedFiles };

export const filesEvents = sharedFileEvents;
