/**
 * Sharing and fetching files as an agent does, with bytes of the test's own in the place of ciphertext.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Frame, TestPeer } from "./peer.ts";

/** A box that could be a sealed file key. */
export const BOX = "c2VhbGVkIGtleQ==";

/** An upload, as the broker told it. */
export interface StartedUpload {
  readonly fileId: string;
  readonly url: string;
}

/** What a PATCH answered. */
export interface PatchAnswer {
  readonly status: number;
  readonly offset: number | null;
  readonly body: Frame;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export async function startUpload(
  peer: TestPeer,
  bytes: Uint8Array,
  input: object = {},
): Promise<StartedUpload> {
  const size = bytes.length;
  const started = await peer.request("start_file_upload", { name: "report.pdf", size, ...input });
  assert.equal(started.type, "file_upload", JSON.stringify(started));
  assert.equal(started.offset, 0);
  return { fileId: String(started.fileId), url: String(started.url) };
}

/** Sends bytes to an upload's URL. */
export async function patch(
  url: string,
  offset: number,
  body: Uint8Array | ReadableStream<Uint8Array>,
): Promise<PatchAnswer> {
  const response = await fetch(url, {
    method: "PATCH",
    headers: { "upload-offset": String(offset), "content-type": "application/octet-stream" },
    body: body as BodyInit,
  });
  const header = response.headers.get("upload-offset");
  return {
    status: response.status,
    offset: header === null ? null : Number(header),
    body: await response.json() as Frame,
  };
}

/** What a commit says beside the file id, for the whole mesh. */
export function forMesh(bytes: Uint8Array, epoch = 1): object {
  return { sha256: sha256Of(bytes), epoch, wrappedKey: BOX };
}

/** The same for members. */
export function forMembers(bytes: Uint8Array, ...pubkeys: string[]): object {
  const sealedKeys = pubkeys.map((pubkey) => ({ pubkey, sealedKey: BOX }));
  return { sha256: sha256Of(bytes), sealedKeys };
}

/** Shares bytes in one go; returns the file's id. */
export async function share(
  peer: TestPeer,
  bytes: Uint8Array,
  { start = {}, commit = forMesh(bytes) }: { start?: object; commit?: object } = {},
): Promise<string> {
  const { fileId, url } = await startUpload(peer, bytes, start);
  assert.equal((await patch(url, 0, bytes)).status, 200);
  const shared = await peer.request("commit_file_upload", { fileId, ...commit });
  assert.equal(shared.type, "file_shared", JSON.stringify(shared));
  return fileId;
}

/** Reads what a URL gives. */
export async function fetchBytes(
  url: string,
  range?: string,
): Promise<{ status: number; bytes: Uint8Array; headers: Headers }> {
  const response = await fetch(url, range === undefined ? {} : { headers: { range } });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, bytes, headers: response.headers };
}
