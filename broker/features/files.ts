/**
 * Shared files: uploading them and all that comes after.
 */
import type { files as contract } from "../api/files.ts";
import type { Handlers } from "../api/op.ts";
import type { Call } from "../core/context.ts";
import { fileUploads } from "./file_uploads.ts";
import { sharedFiles } from "./shared_files.ts";

export const files: Handlers<typeof contract, Call> = { ...fileUploads, ...sharedFiles };
