/**
 * A shared file as a member sees it, and the signed URLs by which its bytes come and go.
 */
import { bucketOf } from "../../storage/objects/object_name.ts";
import type { FileRow } from "../../storage/sql/queries/files.ts";
import type { UploadRow } from "../../storage/sql/queries/file_uploads.ts";
import type { FileView } from "../api/file_fields.ts";
import type { FileUpload } from "../api/file_uploads.ts";
import type { BrokerContext } from "../core/context.ts";
import {
  type DownloadLabel,
  downloadLabel,
  uploadLabel,
  uploadPlace,
} from "../core/file_places.ts";
import type { Mesh } from "../core/model.ts";

/** Returns whether the member for whom the row was read may fetch the file. */
export function isReadable(row: FileRow): boolean {
  return row.targetSpec === "mesh" || row.sealedKey !== null;
}

/** The file as its contract shows it; its uploader by the name that it has now. */
export function fileView(mesh: Mesh, row: FileRow): FileView {
  return {
    id: row.id,
    name: row.name,
    size: row.sizeBytes,
    tags: [...row.tags],
    uploadedBy: mesh.membersById.get(row.memberId)?.displayName ?? row.memberName,
    uploadedByPubkey: row.ownerPubkey,
    uploadedAt: row.uploadedAt.toISOString(),
    persistent: row.persistent,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    encrypted: true,
    sharedWith: row.targetSpec,
    readable: isReadable(row),
  };
}

/** An upload with a new URL. */
export function uploadUrl(broker: BrokerContext, row: UploadRow, offset: number): FileUpload {
  const { bucket, key, fileId } = uploadPlace(row);
  const expiresAtMs = broker.clock.now() + broker.settings.limits.transferUrlMs;
  const label = uploadLabel(row.meshId, fileId);
  const token = broker.stores.urls.sign({ purpose: "put", bucket, key, label, expiresAtMs });
  const path = `/uploads/${token}`;
  return {
    fileId,
    url: broker.publicUrl() + path,
    path,
    urlExpiresAt: new Date(expiresAtMs).toISOString(),
    offset,
    size: row.sizeBytes,
  };
}

/** A file's URL, of this broker or of the object server that has it. */
export async function downloadUrl(
  broker: BrokerContext,
  row: Pick<FileRow, "key">,
  label: DownloadLabel,
): Promise<{ url: string; path?: string; urlExpiresAt: string }> {
  const [brokerUrl, nowMs] = [broker.publicUrl(), broker.clock.now()];
  const lifeMs = broker.settings.limits.transferUrlMs;
  const url = await broker.stores.objects.presignGet(
    { bucket: bucketOf(label.meshId), key: row.key },
    { brokerUrl, nowMs, lifeMs, label: downloadLabel(label) },
  );
  const isOwn = url.startsWith(`${brokerUrl}/files/`);
  return {
    url,
    ...(isOwn ? { path: url.slice(brokerUrl.length) } : {}),
    urlExpiresAt: new Date(nowMs + lifeMs).toISOString(),
  };
}
