/**
 * The HTTP side of shared files: bytes of ciphertext, streamed both ways. A URL is the permission: it is signed for one
 * purpose and one file, comes over the authenticated socket, and is good for a minute to begin a request with.
 *
 * Upload, at the `url` of `start_file_upload` and `resume_file_upload`:
 *   HEAD (or GET) -> 200, headers `upload-offset` (bytes that the broker has) and `upload-length` (the size).
 *   PATCH with `upload-offset: <n>`, `content-type: application/octet-stream` and the bytes from n on; chunked or with
 *   `content-length`, a part or all of the rest -> 200 `UploadProgress` and header `upload-offset`.
 *     409 `conflict`: n is not where the broker stands; the header `upload-offset` says where that is. Also when
 *         another request went on with the same upload meanwhile.
 *     413 `too_large`: the bytes would go past the declared size; none past it are kept.
 *     401 `bad_signature`, 410 `expired`: not a URL of this broker for this purpose, or older than a minute: ask the
 *         socket for another. Nothing was read.
 *     404 `not_found`: the upload was cancelled, committed or given up.
 *     503 `capacity`, `unavailable`, `shutting_down`; 507 `storage_full`: later again, from the offset that HEAD tells.
 *   A connection that breaks loses at most what was not written yet: HEAD tells the offset.
 *
 * Download, at the `url` of `get_file` (this broker's, or an object server's with the same meaning):
 *   GET -> 200 with `content-length`, or with `range: bytes=<from>-` (also `<from>-<to>`, `-<last>`) 206 with
 *   `content-range`; 416 when the range lies outside. `etag` is the SHA-256 of the ciphertext in quotes.
 *     401, 404, 410, 503 as above.
 *
 * Errors are JSON `{error, message, ...}` with the codes and statuses of `errors.ts`.
 */
import * as z from "zod";

/** The header that carries an upload's offset, in requests and answers. */
export const UPLOAD_OFFSET_HEADER = "upload-offset";

/** The header of answers that carries an upload's declared size. */
export const UPLOAD_LENGTH_HEADER = "upload-length";

/** What an upload's request answers. */
export const uploadProgress = z.object({
  offset: z.int().nonnegative().describe("Bytes that the broker has."),
  size: z.int().nonnegative().describe("Bytes that it expects in all."),
});
export type UploadProgress = z.infer<typeof uploadProgress>;
