/**
 * Putting a file into the mesh: its bytes go over HTTP (`file_transfer.ts`), what is said about it over these
 * operations. `files.ts` tells the whole way.
 */
import * as z from "zod";
import {
  brokerPath,
  FILE_EXAMPLE,
  fileId,
  fileKeyBox,
  fileName,
  fileTags,
  fileView,
  sealedFileKey,
  sha256,
} from "./file_fields.ts";
import { isoTime } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

/** A server of objects is asked on the way. */
const OBJECTS_PATIENCE_MS = 20_000;
/** After a restart the broker reads the whole object to know its SHA-256. */
const COMMIT_PATIENCE_MS = 180_000;

const upload = z.object({
  fileId: z.string(),
  url: z.string().describe(
    "Where the bytes go, with PATCH; starts of requests only until `urlExpiresAt`.",
  ),
  path: brokerPath,
  urlExpiresAt: isoTime,
  offset: z.int().describe("Bytes that the broker has; the next one goes here."),
  size: z.int(),
});
export type FileUpload = z.infer<typeof upload>;

const example = {
  fileId: FILE_EXAMPLE.id,
  url: "https://mesh.example.org/uploads/token",
  path: "/uploads/token",
  urlExpiresAt: "2026-11-21T10:01:00.000Z",
  offset: 0,
  size: 66_000,
};

export const fileUploads = {
  startFileUpload: op({
    wire: "start_file_upload",
    reply: "file_upload",
    since: 3,
    summary: "Begin to share a file: reserve its size and get the URL for its bytes.",
    grant: "member",
    rate: "request",
    patienceMs: OBJECTS_PATIENCE_MS,
    audit: "file_upload_started",
    fails: ["limit"],
    input: z.object({
      name: fileName.describe("What the file is called; the broker sees it."),
      size: z.int().nonnegative().max(Number.MAX_SAFE_INTEGER).describe("Bytes of the ciphertext."),
      tags: fileTags.optional().describe("Words to find it by; the broker sees them."),
      persistent: z.boolean().optional().describe("False: it goes by itself. True by default."),
      expiresInMs: z.int().min(60_000).max(LIMITS.ephemeralMostMs.value).optional().describe(
        "Life of a file that is not persistent, from its commit on; a day by default.",
      ),
    }),
    output: upload,
    example: { input: { name: "report.pdf", size: 66_000, tags: ["q3"] }, output: example },
  }),
  resumeFileUpload: op({
    wire: "resume_file_upload",
    reply: "file_upload",
    since: 3,
    summary:
      "Get a new URL for an upload of one's own, and where to go on. Ends a request that still writes to it.",
    grant: "member",
    rate: "request",
    patienceMs: OBJECTS_PATIENCE_MS,
    audit: null,
    fails: ["not_found"],
    input: z.object({ fileId }),
    output: upload,
    example: { input: { fileId: example.fileId }, output: { ...example, offset: 32_768 } },
  }),
  commitFileUpload: op({
    wire: "commit_file_upload",
    reply: "file_shared",
    since: 3,
    summary:
      "Share what was uploaded: with the whole mesh by `epoch` and `wrappedKey`, or with members by `sealedKeys`.",
    grant: "member",
    rate: "request",
    patienceMs: COMMIT_PATIENCE_MS,
    audit: "file_shared",
    fails: ["not_found", "conflict", "bad_digest", "stale_epoch"],
    input: z.object({
      fileId,
      sha256: sha256.describe("Of the whole ciphertext."),
      epoch: z.int().positive().optional().describe("The current epoch."),
      wrappedKey: fileKeyBox.optional().describe("The file key under that epoch's mesh key."),
      sealedKeys: z.array(sealedFileKey).min(1).max(LIMITS.fileKeys.value).optional().describe(
        "The file key for each member that may read it, the uploader among them.",
      ),
    }),
    output: z.object({ file: fileView }),
    example: {
      input: { fileId: example.fileId, sha256: "0".repeat(64), epoch: 1, wrappedKey: "AAAA" },
      output: { file: FILE_EXAMPLE },
    },
  }),
  cancelFileUpload: op({
    wire: "cancel_file_upload",
    reply: "file_upload_cancelled",
    since: 3,
    summary: "Give an upload of one's own up and drop its bytes.",
    grant: "member",
    rate: "request",
    patienceMs: OBJECTS_PATIENCE_MS,
    audit: "file_upload_cancelled",
    fails: ["not_found"],
    input: z.object({ fileId }),
    output: z.object({ fileId: z.string() }),
    example: { input: { fileId: example.fileId }, output: { fileId: example.fileId } },
  }),
  listFileUploads: op({
    wire: "list_file_uploads",
    reply: "file_uploads",
    since: 3,
    summary: "List one's own uploads that are not committed yet.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({
      uploads: z.array(z.object({
        fileId: z.string(),
        name: z.string(),
        size: z.int(),
        startedAt: isoTime,
        expiresAt: isoTime.describe("When it is given up unless somebody goes on with it."),
      })),
    }),
    example: { input: {}, output: { uploads: [] } },
  }),
};
