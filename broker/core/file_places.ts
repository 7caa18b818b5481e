/**
 * Where uploads and files have their bytes, and what is said of them in signed URLs.
 */
import { bucketOf } from "../../storage/objects/object_name.ts";
import type { UploadRow } from "../../storage/sql/queries/file_uploads.ts";
import type { FileUploadPlace } from "./transfers.ts";

/** What a download's URL is about. */
export interface DownloadLabel {
  readonly meshId: string;
  readonly fileId: string;
  readonly accessId: string;
  readonly sha256: string;
}

/** Where an upload's bytes are. */
export function uploadPlace(row: UploadRow): FileUploadPlace {
  const { id: fileId, meshId, key, ref, sizeBytes } = row;
  return { fileId, bucket: bucketOf(meshId), key, ref, sizeBytes };
}

/** The label of an upload's URL. */
export function uploadLabel(meshId: string, fileId: string): string {
  return JSON.stringify([meshId, fileId]);
}

/** Mesh and file of an upload's label, which a signature vouches for. */
export function readUploadLabel(label: string): { meshId: string; fileId: string } {
  const [meshId, fileId] = JSON.parse(label) as [string, string];
  return { meshId, fileId };
}

/** The label of a download's URL. */
export function downloadLabel({ meshId, fileId, accessId, sha256 }: DownloadLabel): string {
  return JSON.stringify([meshId, fileId, accessId, sha256]);
}

/** What a download's label says, which a signature vouches for. */
export function readDownloadLabel(label: string): DownloadLabel {
  const [meshId, fileId, accessId, sha256] = JSON.parse(label) as [string, string, string, string];
  return { meshId, fileId, accessId, sha256 };
}
