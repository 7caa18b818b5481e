/**
 * The bytes of shared files, in whole or from any byte on, as fast as the reader takes them (`file_transfer.ts` has the
 * contract).
 */
import { type ObjectReader, ObjectsError } from "../../storage/objects/port.ts";
import { completeAccess } from "../../storage/sql/queries/files.ts";
import { MeshError } from "../api/errors.ts";
import type { BrokerContext } from "../core/context.ts";
import { type DownloadLabel, readDownloadLabel } from "../core/file_places.ts";
import { failure, streamed } from "./answer.ts";
import { chosenRange } from "./byte_range.ts";
import { readerStream } from "./reader_stream.ts";
import { type HttpCall, route } from "./route.ts";

export const fileDownload = route({
  method: "GET",
  path: "/files/:token",
  summary: "Read a shared file's encrypted bytes.",
  authentication: "signed",
  signedFor: "get",
  rate: null,
  body: null,
  answers: "json",
  handle: serve,
});

async function serve({ broker, claims, request }: HttpCall<unknown>): Promise<Response> {
  if (claims === null) throw new MeshError("bad_signature", "a download has a signed URL");
  const { bucket, key, label } = claims;
  const about = readDownloadLabel(label);
  const stat = await broker.stores.objects.stat({ bucket, key });
  if (stat === null) throw gone();
  const { sizeBytes } = stat;
  const range = chosenRange(request.headers.get("range"), sizeBytes);
  if (range === "outside") return outside(sizeBytes);
  const { from, length } = range ?? { from: 0, length: sizeBytes };
  const headers: Record<string, string> = {
    "content-length": String(length),
    "accept-ranges": "bytes",
    "etag": `"${about.sha256}"`,
    ...(range === null
      ? {}
      : { "content-range": `bytes ${from}-${from + length - 1}/${sizeBytes}` }),
  };
  const status = range === null ? 200 : 206;
  if (request.method === "HEAD") return streamed(null, status, headers);
  const reader = await opened(broker, { bucket, key }, range ?? undefined);
  const isLast = from + length === sizeBytes;
  const stream = readerStream(reader, {
    length,
    clock: broker.clock,
    stallMs: broker.settings.limits.transferStallMs,
    onEnd: () => isLast && note(broker, about),
  });
  return streamed(stream, status, headers);
}

async function opened(
  broker: BrokerContext,
  name: { bucket: string; key: string },
  range: { from: number; length: number } | undefined,
): Promise<ObjectReader> {
  try {
    return await broker.transfers.open(name, range);
  } catch (error) {
    if (error instanceof ObjectsError && error.kind === "not_found") throw gone();
    throw error;
  }
}

/** Notes that the last byte went out; the peer need not wait for that. */
function note(broker: BrokerContext, { meshId, accessId }: DownloadLabel): void {
  const statements = [completeAccess(meshId, accessId, broker.clock.now())];
  broker.meshes.find(meshId)
    .then((mesh) => mesh && broker.ledger.append({ mesh, statements, audits: [] }))
    .catch((error) =>
      broker.log.warn("a completed download was not noted", { error: String(error) })
    );
}

function gone(): MeshError {
  return new MeshError("not_found", "this file was deleted or has expired");
}

function outside(sizeBytes: number): Response {
  const response = failure(
    new MeshError("invalid_argument", `the file has ${sizeBytes} bytes; the range lies outside`, {
      data: { field: "range" },
    }),
    { invalid_argument: 416 },
  );
  response.headers.set("content-range", `bytes */${sizeBytes}`);
  return response;
}
