/**
 * The bytes of uploads: `PATCH` stores some from an offset on, `HEAD` or `GET` tells the offset (`file_transfer.ts`
 * has the contract). What arrives goes to the store of objects as it comes; nothing waits in memory.
 */
import { ObjectsError } from "../../storage/objects/port.ts";
import { findUpload, touchUpload } from "../../storage/sql/queries/file_uploads.ts";
import { MeshError } from "../api/errors.ts";
import {
  UPLOAD_LENGTH_HEADER,
  UPLOAD_OFFSET_HEADER,
  type UploadProgress,
} from "../api/file_transfer.ts";
import type { BrokerContext } from "../core/context.ts";
import type { FileUploadPlace } from "../core/transfers.ts";
import { readUploadLabel, uploadPlace } from "../core/file_places.ts";
import { failure, json } from "./answer.ts";
import { type HttpCall, route } from "./route.ts";

export const fileUpload = route({
  method: "PATCH",
  path: "/uploads/:token",
  summary: "Store bytes of an upload, from the offset on.",
  authentication: "signed",
  signedFor: "put",
  rate: null,
  body: null,
  answers: "json",
  handle: store,
});

export const uploadOffset = route({
  method: "GET",
  path: "/uploads/:token",
  summary: "Tell how many bytes of an upload are stored.",
  authentication: "signed",
  signedFor: "put",
  rate: null,
  body: null,
  answers: "json",
  async handle(call: HttpCall<unknown>) {
    const { place } = await uploadOf(call);
    return progress(await call.broker.transfers.offset(place), place);
  },
});

async function store(call: HttpCall<unknown>): Promise<Response> {
  const { broker, request } = call;
  const { place, meshId } = await uploadOf(call);
  const offset = wholeNumber(request.headers.get(UPLOAD_OFFSET_HEADER));
  if (offset === null || offset > place.sizeBytes) {
    throw new MeshError(
      "invalid_argument",
      `the header ${UPLOAD_OFFSET_HEADER} says where these bytes go: 0 to ${place.sizeBytes}`,
      { data: { field: UPLOAD_OFFSET_HEADER } },
    );
  }
  const announcedBytes = wholeNumber(request.headers.get("content-length"));
  try {
    const stored = await broker.transfers.write(place, {
      offset,
      stream: request.body,
      announcedBytes,
    });
    return progress(stored, place);
  } catch (error) {
    if (!(error instanceof ObjectsError)) throw error;
    if (error.kind === "not_found") throw noUpload();
    if (error.offset === null) throw error;
    return standsElsewhere(error.offset);
  } finally {
    await touch(broker, meshId, place.fileId);
  }
}

/** The upload that the URL is about. @throws {MeshError} `not_found`. */
async function uploadOf(
  { broker, claims }: HttpCall<unknown>,
): Promise<{ place: FileUploadPlace; meshId: string }> {
  const { meshId, fileId } = readUploadLabel(claims?.label ?? "");
  const row = await findUpload(broker.sql, meshId, fileId);
  if (row !== null) return { place: uploadPlace(row), meshId };
  throw noUpload();
}

function noUpload(): MeshError {
  return new MeshError("not_found", "this upload was committed, cancelled or given up");
}

/** The upload is in use: it is not to be cleaned away. */
async function touch(broker: BrokerContext, meshId: string, fileId: string): Promise<void> {
  const mesh = await broker.meshes.find(meshId);
  if (mesh === null) return;
  const statements = [touchUpload(meshId, fileId, broker.clock.now())];
  await broker.ledger.append({ mesh, statements, audits: [] });
}

function progress(offset: number, { sizeBytes: size }: FileUploadPlace): Response {
  const answer: UploadProgress = { offset, size };
  return json(answer, 200, {
    [UPLOAD_OFFSET_HEADER]: String(offset),
    [UPLOAD_LENGTH_HEADER]: String(size),
  });
}

function standsElsewhere(offset: number): Response {
  const response = failure(
    new MeshError("conflict", `the upload stands at ${offset}; go on from there`),
  );
  response.headers.set(UPLOAD_OFFSET_HEADER, String(offset));
  return response;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}
