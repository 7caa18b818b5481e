/**
 * Files that are shared: finding, fetching, granting and deleting them. Frames: reference protocol 2.6, with keys
 * sealed to member keys (D44), deletion by uploader or admin (D29), and access by who holds a key, not by who knows
 * an id (D31).
 */
import * as z from "zod";
import { event } from "./event.ts";
import {
  brokerPath,
  FILE_EXAMPLE,
  fileId,
  fileKeyBox,
  fileView,
  sha256,
  wrappedFileKey,
} from "./file_fields.ts";
import { isoTime, publicKey } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { op } from "./op.ts";

const access = z.object({
  peerName: z.string(),
  memberId: z.string(),
  accessedAt: isoTime.describe("When the download's URL was handed out, for the last time."),
  completedAt: isoTime.nullable().describe(
    "When the broker had sent the last byte; null: not yet, or the bytes came from an object server.",
  ),
});

export const sharedFiles = {
  getFile: op({
    wire: "get_file",
    reply: "file_url",
    since: 1,
    summary: "Get a file's download URL and the caller's copies of its key.",
    grant: "member",
    rate: "request",
    audit: "file_accessed",
    fails: ["not_found"],
    input: z.object({ fileId }),
    output: fileView.omit({ id: true, readable: true }).extend({
      fileId: z.string(),
      url: z.string().describe(
        "GET it, with `Range` to go on; starts of requests only until `urlExpiresAt`.",
      ),
      path: brokerPath.optional().describe(
        "The same without the broker's address, as with uploads; absent when an object server has the bytes.",
      ),
      urlExpiresAt: isoTime,
      sha256: sha256.describe(
        "Of the ciphertext, as the uploader gave it and the broker checked it.",
      ),
      sealedKey: fileKeyBox.optional().describe("The file key sealed to the caller."),
      wrappedKeys: z.array(wrappedFileKey).describe(
        "The file key under epochs' mesh keys, newest first; empty unless shared with the mesh.",
      ),
    }),
    example: {
      input: { fileId: FILE_EXAMPLE.id },
      output: {
        ...FILE_EXAMPLE,
        fileId: FILE_EXAMPLE.id,
        url: "https://mesh.example.org/files/token",
        path: "/files/token",
        urlExpiresAt: "2026-11-21T10:01:00.000Z",
        sha256: "0".repeat(64),
        wrappedKeys: [{ epoch: 1, wrappedKey: "AAAA" }],
      },
    },
  }),
  listFiles: op({
    wire: "list_files",
    reply: "file_list",
    since: 1,
    summary:
      "List shared files, newest first: those the caller may fetch, and for owners and admins all.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    tool: {
      name: "list_files",
      reach: "one",
      readOnly: true,
      description:
        "Find files that peers shared with the mesh or with you; fetch one with get_file.",
    },
    input: z.object({
      query: z.string().max(255).optional().describe("Part of the name, or a tag."),
      from: z.string().max(128).optional().describe("Display name or key of who shared it."),
      limit: z.int().min(1).max(LIMITS.fileListRows.value).optional().describe(
        "Rows; 100 by default.",
      ),
      cursor: z.string().max(128).optional().describe("`next` of the answer before."),
    }),
    output: z.object({ files: z.array(fileView), next: z.string().nullable() }),
    example: { input: { query: "report" }, output: { files: [FILE_EXAMPLE], next: null } },
  }),
  fileStatus: op({
    wire: "file_status",
    reply: "file_status_result",
    since: 1,
    summary: "Tell who may read a file and who fetched it when.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: ["not_found"],
    tool: {
      name: "file_status",
      reach: "one",
      readOnly: true,
      rename: { id: "fileId" },
      description: "See whether and when peers fetched a shared file.",
    },
    input: z.object({ fileId }),
    output: z.object({
      fileId: z.string(),
      file: fileView,
      members: z.array(z.string()).describe("Names of the members it is sealed to."),
      accesses: z.array(access).describe("Newest first, at most 100."),
    }),
    example: {
      input: { fileId: FILE_EXAMPLE.id },
      output: { fileId: FILE_EXAMPLE.id, file: FILE_EXAMPLE, members: [], accesses: [] },
    },
  }),
  grantFileAccess: op({
    wire: "grant_file_access",
    reply: "grant_file_access_ok",
    since: 1,
    summary:
      "Let another member read a file: its key, sealed to that member by somebody who can open it. " +
      "A key that somebody else gave is replaced by the file's sharer alone.",
    grant: "member",
    rate: "request",
    audit: "file_access_granted",
    fails: ["not_found", "limit"],
    input: z.object({
      fileId,
      peerPubkey: publicKey.describe("The other member's key."),
      sealedKey: fileKeyBox.describe("The file key sealed to it."),
    }),
    output: z.object({ fileId: z.string(), peerPubkey: publicKey }),
    example: {
      input: {
        fileId: FILE_EXAMPLE.id,
        peerPubkey: FILE_EXAMPLE.uploadedByPubkey,
        sealedKey: "AAAA",
      },
      output: { fileId: FILE_EXAMPLE.id, peerPubkey: FILE_EXAMPLE.uploadedByPubkey },
    },
  }),
  deleteFile: op({
    wire: "delete_file",
    reply: "ack",
    quiet: true,
    since: 1,
    summary: "Delete a file and its bytes; for who shared it, owners and admins.",
    grant: "member",
    rate: "request",
    audit: "file_deleted",
    fails: ["not_found"],
    tool: {
      name: "delete_file",
      reach: "one",
      rename: { id: "fileId" },
      description: "Delete a file that you shared.",
    },
    input: z.object({ fileId }),
    output: z.object({
      id: z.string(),
      messageId: z.string(),
      queued: z.boolean(),
      name: z.string().describe("Of the file that is gone."),
    }),
    example: {
      input: { fileId: FILE_EXAMPLE.id },
      output: {
        id: FILE_EXAMPLE.id,
        messageId: FILE_EXAMPLE.id,
        queued: false,
        name: "report.pdf",
      },
    },
  }),
  listStaleFileKeys: op({
    wire: "list_stale_file_keys",
    reply: "stale_file_keys",
    since: 3,
    summary:
      "List files shared with the mesh whose key is not wrapped under the current epoch yet, " +
      "oldest first: all for owners and admins, one's own for others.",
    grant: "member",
    rate: "request",
    audit: null,
    fails: [],
    input: z.object({}),
    output: z.object({
      epoch: z.int().describe("The current epoch."),
      files: z.array(wrappedFileKey.extend({ fileId: z.string() })).describe("At most 100."),
    }),
    example: { input: {}, output: { epoch: 2, files: [] } },
  }),
  rewrapFileKeys: op({
    wire: "rewrap_file_keys",
    reply: "file_keys_rewrapped",
    since: 3,
    summary:
      "After a rotation, store file keys under the current epoch's mesh key, so that who joined since can read them.",
    grant: "member",
    rate: "request",
    audit: "file_keys_rewrapped",
    fails: ["stale_epoch"],
    input: z.object({
      epoch: z.int().positive().describe("The current epoch."),
      keys: z.array(z.object({ fileId, wrappedKey: fileKeyBox })).min(1).max(100),
    }),
    output: z.object({
      rewrapped: z.array(z.string()).describe(
        "File ids; others are gone or not the caller's to do.",
      ),
    }),
    example: {
      input: { epoch: 2, keys: [{ fileId: FILE_EXAMPLE.id, wrappedKey: "AAAA" }] },
      output: { rewrapped: [FILE_EXAMPLE.id] },
    },
  }),
};

/** What `file_status` answers. */
export type FileStatus = z.infer<typeof sharedFiles.fileStatus.output>;

export const sharedFileEvents = {
  fileShared: event({
    wire: "push",
    name: "file_shared",
    since: 3,
    summary: "To who may read it: a peer shared a file, or let this member read one.",
    data: z.object({
      fileId: z.string(),
      name: z.string(),
      size: z.int(),
      from: z.string().describe("Display name of who shared it."),
      fromPubkey: publicKey,
    }),
    example: {
      fileId: FILE_EXAMPLE.id,
      name: "report.pdf",
      size: 66_000,
      from: "Ada",
      fromPubkey: FILE_EXAMPLE.uploadedByPubkey,
    },
  }),
  fileDeleted: event({
    wire: "push",
    name: "file_deleted",
    since: 3,
    summary: "To who could read it: a shared file was deleted.",
    data: z.object({ fileId: z.string(), name: z.string() }),
    example: { fileId: FILE_EXAMPLE.id, name: "report.pdf" },
  }),
};
