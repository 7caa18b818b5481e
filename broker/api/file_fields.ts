/**
 * Schemas of fields that the operations on shared files have in common.
 */
import * as z from "zod";
import { base64, id, isoTime, publicKey } from "./fields.ts";
import { LIMITS } from "./limits.ts";

export const fileId = id.describe("The file's id, as share_file and list_files tell it.");

/** What a file is called. It becomes a name on its recipients' disks, so it is one segment of a path and no more. */
export const fileName = z.string().min(1).max(LIMITS.fileNameChars.value).regex(
  // deno-lint-ignore no-control-regex -- control characters are what it keeps out
  /^(?!\.{1,2}$)[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069/\\]*$/,
  "must be a file's name without folders or control characters",
);

export const fileTags = z.array(z.string().min(1).max(LIMITS.tagChars.value)).max(
  LIMITS.tags.value,
);

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex digits");

/** A transfer's URL once more, for agents that reach the broker by another address than its public one. */
export const brokerPath = z.string().describe(
  "The same without the broker's address: put the address that you reach the broker by in front.",
);

/** The file key in a sealed box, or in a secret box under a mesh key. */
export const fileKeyBox = base64.min(4).max(512);

/** The file key for one member, sealed (`crypto_box_seal`) to its member key. */
export const sealedFileKey = z.object({ pubkey: publicKey, sealedKey: fileKeyBox });

/** The file key for all who hold an epoch's mesh key. */
export const wrappedFileKey = z.object({ epoch: z.int().positive(), wrappedKey: fileKeyBox });

export const fileView = z.object({
  id: z.string(),
  name: z.string(),
  size: z.int().describe("Bytes as stored, encrypted."),
  tags: z.array(z.string()),
  uploadedBy: z.string().describe("Display name of who shared it."),
  uploadedByPubkey: publicKey.describe("Member key of who shared it."),
  uploadedAt: isoTime,
  persistent: z.boolean(),
  expiresAt: isoTime.nullable(),
  encrypted: z.boolean(),
  sharedWith: z.enum(["mesh", "members"]).describe(
    "The whole mesh, or the members it was sealed to.",
  ),
  readable: z.boolean().describe("Whether the caller may fetch it."),
});
export type FileView = z.infer<typeof fileView>;

export const FILE_EXAMPLE: FileView = {
  id: "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8",
  name: "report.pdf",
  size: 66_000,
  tags: ["q3"],
  uploadedBy: "Ada",
  uploadedByPubkey: "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
  uploadedAt: "2026-11-21T10:00:00.000Z",
  persistent: true,
  expiresAt: null,
  encrypted: true,
  sharedWith: "mesh",
  readable: true,
};
