/**
 * Uploads: what is said about a file before, while and after its bytes arrive over HTTP.
 */
import { bucketOf, fileKey } from "../../storage/objects/object_name.ts";
import { ObjectsError } from "../../storage/objects/port.ts";
import { findFile } from "../../storage/sql/queries/files.ts";
import {
  countUploads,
  fileUsage,
  findUpload,
  insertUpload,
  listUploads,
  markFileDeleted,
  type NewUpload,
  shareUpload,
  touchUpload,
  type UploadRow,
} from "../../storage/sql/queries/file_uploads.ts";
import type { SqlExecutor } from "../../storage/sql/port.ts";
import { MeshError } from "../api/errors.ts";
import type { fileUploads as contract } from "../api/file_uploads.ts";
import type { Handlers } from "../api/op.ts";
import { sharedFileEvents } from "../api/shared_files.ts";
import type { Call } from "../core/context.ts";
import { removeBytes } from "../core/file_removal.ts";
import { uploadPlace } from "../core/file_places.ts";
import { isActive } from "../core/targets.ts";
import { fileView, uploadUrl } from "./file_view.ts";

type StartInput = Parameters<Handlers<typeof contract, Call>["startFileUpload"]>[1];
type CommitInput = Parameters<Handlers<typeof contract, Call>["commitFileUpload"]>[1];

export const fileUploads: Handlers<typeof contract, Call> = {
  async startFileUpload(call, input) {
    const { broker, connection: { mesh, member } } = call;
    const { limits } = broker.settings;
    if (input.size > limits.fileBytes) {
      throw new MeshError("too_large", `a file has at most ${limits.fileBytes} bytes, encrypted`, {
        data: { limit: limits.fileBytes, field: "size" },
      });
    }
    await requireRoom(call, broker.sql, input.size);
    await broker.transfers.requireSpace(input.size);
    const upload = await begin(call, input);
    try {
      await broker.ledger.transact(mesh, async (tx) => {
        await requireRoom(call, tx, input.size);
        await insertUpload(tx, upload);
        const payload = { fileId: upload.id, sizeBytes: input.size };
        return {
          result: null,
          audits: [{ event: "file_upload_started", actor: member, payload }],
        };
      });
    } catch (error) {
      await broker.stores.objects.abort(uploadPlace(rowOf(upload)));
      throw error;
    }
    return uploadUrl(broker, rowOf(upload), 0);
  },

  async resumeFileUpload(call, { fileId }) {
    return await inTurn(call, fileId, () => resume(call, fileId));
  },

  async commitFileUpload(call, input) {
    return await inTurn(call, input.fileId, () => commit(call, input));
  },

  async cancelFileUpload(call, { fileId }) {
    return await inTurn(call, fileId, async () => {
      const row = await ownUpload(call, fileId);
      await call.broker.transfers.stop(fileId);
      await drop(call, row, "cancelled");
      return { fileId };
    });
  },

  async listFileUploads({ broker, connection: { mesh, member } }) {
    const rows = await listUploads(broker.sql, mesh.id, member.id);
    const { uploadLifeMs } = broker.settings.limits;
    return {
      uploads: rows.map((row) => ({
        fileId: row.id,
        name: row.name,
        size: row.sizeBytes,
        startedAt: row.startedAt.toISOString(),
        expiresAt: new Date(row.touchedAt.getTime() + uploadLifeMs).toISOString(),
      })),
    };
  },
};

function inTurn<T>(
  { broker, connection: { member } }: Call,
  fileId: string,
  work: () => Promise<T>,
): Promise<T> {
  return broker.transfers.inTurn(member.id, fileId, work);
}

async function resume(call: Call, fileId: string) {
  const { broker, connection: { mesh } } = call;
  const row = await ownUpload(call, fileId);
  await broker.transfers.stop(fileId);
  const offset = await orLost(call, row, () => broker.transfers.offset(uploadPlace(row)));
  const statements = [touchUpload(mesh.id, fileId, broker.clock.now())];
  await broker.ledger.append({ mesh, statements, audits: [] });
  return uploadUrl(broker, row, offset);
}

async function commit(call: Call, input: CommitInput) {
  const { broker, connection: { mesh, member } } = call;
  const { fileId, sha256 } = input;
  const row = await ownUpload(call, fileId);
  requireKeys(call, input);
  const stored = await orLost(call, row, () => broker.transfers.finish(uploadPlace(row)));
  if (stored !== sha256) {
    await drop(call, row, "bad_digest");
    throw new MeshError(
      "bad_digest",
      "the bytes that arrived have another SHA-256; they are dropped, start the upload again",
    );
  }
  const atMs = broker.clock.now();
  await broker.ledger.transact(mesh, async (tx) => {
    // A rotation may have come between the check and now.
    requireKeys(call, input);
    const { epoch, wrappedKey, sealedKeys = [] } = input;
    const wrapped = epoch === undefined || wrappedKey === undefined ? null : { epoch, wrappedKey };
    const sharing = { sha256, atMs, byPubkey: member.pubkey, wrapped, sealedKeys };
    if (!await shareUpload(tx, mesh.id, fileId, sharing)) throw noUpload(fileId);
    const payload = {
      fileId,
      sizeBytes: row.sizeBytes,
      sharedWith: wrapped === null ? sealedKeys.map(({ pubkey }) => pubkey) : "mesh",
    };
    return { result: null, audits: [{ event: "file_shared", actor: member, payload }] };
  });
  broker.transfers.forget(fileId);
  return { file: await announced(call, fileId, input, atMs) };
}

/** @throws {MeshError} `limit` when the mesh has no room for so many bytes more, or the member for an upload. */
async function requireRoom(
  { broker, connection: { mesh, member } }: Call,
  executor: SqlExecutor,
  sizeBytes: number,
): Promise<void> {
  const { openUploads, meshFiles, meshFileBytes } = broker.settings.limits;
  if (await countUploads(executor, mesh.id, member.id) >= openUploads) {
    throw overLimit(openUploads, `you have ${openUploads} uploads open; commit or cancel one`);
  }
  const { bytes, files } = await fileUsage(executor, mesh.id);
  if (files >= meshFiles) {
    throw overLimit(meshFiles, `this mesh has ${meshFiles} files; delete some`);
  }
  if (bytes + sizeBytes <= meshFileBytes) return;
  throw overLimit(
    meshFileBytes,
    `this mesh's files may take ${meshFileBytes} bytes and take ${bytes}; delete some`,
  );
}

function overLimit(limit: number, message: string): MeshError {
  return new MeshError("limit", message, { data: { limit } });
}

/** Begins the object of a new upload. */
async function begin(
  { broker, connection: { mesh, member } }: Call,
  { name, size, tags = [], persistent, expiresInMs }: StartInput,
): Promise<NewUpload> {
  const isPersistent = persistent ?? expiresInMs === undefined;
  if (isPersistent && expiresInMs !== undefined) {
    throw new MeshError("invalid_argument", "a persistent file does not expire; leave one out", {
      data: { field: "expiresInMs" },
    });
  }
  const [id, startedAtMs] = [broker.random.id(), broker.clock.now()];
  const day = isPersistent ? null : new Date(startedAtMs).toISOString().slice(0, 10);
  const key = fileKey({ fileId: id, name, day });
  const ref = await broker.stores.objects.begin({ bucket: bucketOf(mesh.id), key });
  return {
    id,
    meshId: mesh.id,
    name,
    sizeBytes: size,
    key,
    ref,
    tags: [...new Set(tags)],
    persistent: isPersistent,
    lifeMs: isPersistent ? null : expiresInMs ?? broker.settings.limits.ephemeralMs,
    memberId: member.id,
    memberName: member.displayName,
    ownerPubkey: member.pubkey,
    startedAtMs,
  };
}

function rowOf({ startedAtMs, ...upload }: NewUpload): UploadRow {
  const startedAt = new Date(startedAtMs);
  return { ...upload, startedAt, touchedAt: startedAt };
}

/** The caller's own upload. @throws {MeshError} `not_found`. */
async function ownUpload(
  { broker, connection: { mesh, member } }: Call,
  fileId: string,
): Promise<UploadRow> {
  const row = await findUpload(broker.sql, mesh.id, fileId, member.id);
  if (row === null) throw noUpload(fileId);
  return row;
}

/** Runs `run`. @throws {MeshError} `not_found` when the upload's bytes are not there; it is given up then. */
async function orLost<T>(call: Call, row: UploadRow, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ObjectsError && error.kind === "not_found")) throw error;
    // Its bytes are gone, by whatever hand: a row without them is of no use.
    await drop(call, row, "lost");
    throw noUpload(row.id);
  }
}

function noUpload(fileId: string): MeshError {
  return new MeshError(
    "not_found",
    `you have no open upload "${fileId}"; it was committed, cancelled or given up`,
  );
}

/** @throws {MeshError} when the keys are not those of the mesh as it is now. */
function requireKeys(
  { connection: { mesh, member } }: Call,
  { epoch, wrappedKey, sealedKeys }: CommitInput,
): void {
  const forMesh = epoch !== undefined && wrappedKey !== undefined;
  const isMixed = (epoch !== undefined || wrappedKey !== undefined) && !forMesh;
  if (isMixed || forMesh === (sealedKeys !== undefined)) {
    throw new MeshError(
      "invalid_argument",
      "give epoch and wrappedKey for the whole mesh, or sealedKeys for members",
      { data: { field: sealedKeys === undefined ? "wrappedKey" : "sealedKeys" } },
    );
  }
  if (forMesh) {
    if (epoch === mesh.epoch) return;
    throw new MeshError("stale_epoch", `the mesh is in epoch ${mesh.epoch}; wrap the key under it`);
  }
  const pubkeys = new Set(sealedKeys?.map(({ pubkey }) => pubkey));
  if (pubkeys.size !== sealedKeys?.length || !pubkeys.has(member.pubkey)) {
    throw new MeshError(
      "invalid_argument",
      "sealedKeys names each member once, yourself among them",
      { data: { field: "sealedKeys" } },
    );
  }
  for (const pubkey of pubkeys) {
    const recipient = mesh.membersByPubkey.get(pubkey);
    if (recipient !== undefined && isActive(recipient)) continue;
    throw new MeshError("not_found", `no member has the key ${pubkey.slice(0, 12)}...`);
  }
}

/** Gives an upload up. */
async function drop(
  { broker, connection: { mesh, member } }: Call,
  row: UploadRow,
  reason: "cancelled" | "bad_digest" | "lost",
): Promise<void> {
  await broker.ledger.transact(mesh, async (tx) => {
    const isGone = !await markFileDeleted(tx, mesh.id, row.id, broker.clock.now());
    const payload = { fileId: row.id, reason };
    const audit = { event: "file_upload_cancelled", actor: member, payload };
    return { result: null, audits: isGone ? [] : [audit] };
  });
  broker.transfers.forget(row.id);
  await removeBytes(broker, mesh, row);
}

/** Tells those who may read it of a new file; returns how the uploader sees it. */
async function announced(
  { broker, connection: { mesh, member } }: Call,
  fileId: string,
  { sealedKeys }: CommitInput,
  nowMs: number,
) {
  const row = await findFile(broker.sql, mesh.id, fileId, { pubkey: member.pubkey, nowMs });
  if (row === null) throw noUpload(fileId);
  const readers = sealedKeys === undefined ? null : new Set(sealedKeys.map((key) => key.pubkey));
  const { name, sizeBytes: size } = row;
  const { displayName: from, pubkey: fromPubkey } = member;
  broker.events.toMesh(
    mesh,
    sharedFileEvents.fileShared,
    { fileId, name, size, from, fromPubkey },
    (connection) =>
      connection.member !== member &&
      (readers === null || readers.has(connection.member.pubkey)),
  );
  return fileView(mesh, row);
}
