/**
 * Shared files: who may fetch one is who has its key (a copy sealed to the member, or the mesh key it is wrapped
 * under); who may delete one is who shared it, an owner or an admin.
 */
import {
  type FileRow,
  findFile,
  listAccesses,
  openAccess,
  rewrapFileKeys,
  sealedTo,
  searchFiles,
  staleFileKeys,
  storeAccess,
  storeFileKey,
  wrappedKeys,
} from "../../storage/sql/queries/files.ts";
import { markFileDeleted } from "../../storage/sql/queries/file_uploads.ts";
import { MeshError } from "../api/errors.ts";
import type { Handlers } from "../api/op.ts";
import { sharedFileEvents, type sharedFiles as contract } from "../api/shared_files.ts";
import type { Call } from "../core/context.ts";
import { removeBytes } from "../core/file_removal.ts";
import type { Member } from "../core/model.ts";
import { isActive } from "../core/targets.ts";
import { downloadUrl, fileView, isReadable } from "./file_view.ts";

const LIST_ROWS = 100;
const ACCESS_ROWS = 100;
const STALE_ROWS = 100;
/** So many epochs before the current one a wrapped key is kept: agents forget old mesh keys as well. */
const KEPT_EPOCHS = 8;

export const sharedFiles: Handlers<typeof contract, Call> = {
  async getFile(call, { fileId }) {
    const { broker, connection: { mesh, member } } = call;
    const row = await readableFile(call, fileId);
    const wrapped = row.targetSpec === "mesh" ? await wrappedKeys(broker.sql, mesh.id, fileId) : [];
    const open = await openAccess(broker.sql, mesh.id, fileId, member.id);
    const accessId = open ?? broker.random.id();
    const access = {
      id: accessId,
      fileId,
      memberId: member.id,
      peerName: member.displayName,
      atMs: broker.clock.now(),
    };
    await broker.ledger.append({
      mesh,
      statements: [storeAccess(mesh.id, access)],
      // A fetch that is gone on with is audited once.
      audits: open === null ? [{ event: "file_accessed", actor: member, payload: { fileId } }] : [],
    });
    const { sha256 } = row;
    const url = await downloadUrl(broker, row, { meshId: mesh.id, fileId, accessId, sha256 });
    const { id: _, readable: __, ...view } = fileView(mesh, row);
    return {
      ...view,
      fileId,
      ...url,
      sha256,
      ...(row.sealedKey === null ? {} : { sealedKey: row.sealedKey }),
      wrappedKeys: wrapped,
    };
  },

  async listFiles(call, { query, from, limit = LIST_ROWS, cursor }) {
    const { broker, connection: { mesh, member } } = call;
    const rows = await searchFiles(broker.sql, mesh.id, {
      pubkey: member.pubkey,
      all: isAdmin(member),
      nowMs: broker.clock.now(),
      query: query ?? null,
      from: from === undefined ? null : uploader(call, from),
      before: cursor === undefined ? null : readCursor(cursor),
      limit: limit + 1,
    });
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      files: page.map((row) => fileView(mesh, row)),
      next: last === undefined ? null : `${last.uploadedAt.getTime()}-${last.id}`,
    };
  },

  async fileStatus(call, { fileId }) {
    const { broker, connection: { mesh } } = call;
    const row = await visibleFile(call, fileId);
    const keys = await sealedTo(broker.sql, mesh.id, fileId);
    const accesses = await listAccesses(broker.sql, mesh.id, fileId, ACCESS_ROWS);
    return {
      fileId,
      file: fileView(mesh, row),
      members: keys.map((key) => mesh.membersByPubkey.get(key)?.displayName ?? key.slice(0, 12)),
      accesses: accesses.map(({ peerName, memberId, accessedAt, completedAt }) => ({
        peerName,
        memberId,
        accessedAt: accessedAt.toISOString(),
        completedAt: completedAt?.toISOString() ?? null,
      })),
    };
  },

  async grantFileAccess(call, { fileId, peerPubkey, sealedKey }) {
    const { broker, connection: { mesh, member } } = call;
    const recipient = mesh.membersByPubkey.get(peerPubkey);
    if (recipient === undefined || !isActive(recipient)) {
      throw new MeshError("not_found", `no member has the key ${peerPubkey.slice(0, 12)}...`);
    }
    const nowMs = broker.clock.now();
    const granted = await broker.ledger.transact(mesh, async (tx) => {
      const found = await findFile(tx, mesh.id, fileId, { pubkey: member.pubkey, nowMs });
      if (found === null) throw noFile(fileId);
      if (!isReadable(found)) throw notShared(found);
      requireKeyRoom(call, fileId, peerPubkey, await sealedTo(tx, mesh.id, fileId));
      const isOwner = found.ownerPubkey === member.pubkey;
      const { pubkey: byPubkey } = member;
      const key = { pubkey: peerPubkey, sealedKey, byPubkey, isOwner, atMs: nowMs };
      // Who has a key from another keeps that one.
      const isNew = await storeFileKey(tx, mesh.id, fileId, key);
      const audit = {
        event: "file_access_granted",
        actor: member,
        payload: { fileId, to: recipient.id },
      };
      return { result: isNew ? found : null, audits: isNew ? [audit] : [] };
    });
    if (granted === null) return { fileId, peerPubkey };
    const { name, sizeBytes: size } = granted;
    const { displayName: from, pubkey: fromPubkey } = member;
    broker.events.toMember(recipient, sharedFileEvents.fileShared, {
      fileId,
      name,
      size,
      from,
      fromPubkey,
    });
    return { fileId, peerPubkey };
  },

  async deleteFile(call, { fileId }) {
    const { broker, connection: { mesh, member } } = call;
    const row = await visibleFile(call, fileId);
    if (row.memberId !== member.id && !isAdmin(member)) {
      throw new MeshError(
        "forbidden",
        `"${row.name}" is ${
          fileView(mesh, row).uploadedBy
        }'s: who shared it, an owner or an admin deletes it`,
      );
    }
    const readers = await sealedTo(broker.sql, mesh.id, fileId);
    await broker.ledger.transact(mesh, async (tx) => {
      const isDeleted = await markFileDeleted(tx, mesh.id, fileId, broker.clock.now());
      if (!isDeleted) throw noFile(fileId);
      const payload = { fileId, sizeBytes: row.sizeBytes };
      return { result: null, audits: [{ event: "file_deleted", actor: member, payload }] };
    });
    const reads = (pubkey: string) => row.targetSpec === "mesh" || readers.includes(pubkey);
    broker.events.toMesh(
      mesh,
      sharedFileEvents.fileDeleted,
      { fileId, name: row.name },
      (connection) => connection.member !== member && reads(connection.member.pubkey),
    );
    await removeBytes(broker, mesh, { ...row, meshId: mesh.id });
    return { id: fileId, messageId: fileId, queued: false, name: row.name };
  },

  async listStaleFileKeys({ broker, connection: { mesh, member } }) {
    const { epoch } = mesh;
    const memberId = isAdmin(member) ? null : member.id;
    const files = await staleFileKeys(broker.sql, mesh.id, { epoch, memberId, limit: STALE_ROWS });
    return { epoch, files };
  },

  async rewrapFileKeys({ broker, connection: { mesh, member } }, { epoch, keys }) {
    const rewrapped = await broker.ledger.transact(mesh, async (tx) => {
      if (epoch !== mesh.epoch) {
        throw new MeshError(
          "stale_epoch",
          `the mesh is in epoch ${mesh.epoch}; wrap under its key`,
        );
      }
      const result = await rewrapFileKeys(tx, mesh.id, {
        epoch,
        memberId: isAdmin(member) ? null : member.id,
        byPubkey: member.pubkey,
        atMs: broker.clock.now(),
        keys,
        oldestEpoch: epoch - KEPT_EPOCHS + 1,
      });
      const payload = { epoch, fileIds: result };
      const audit = { event: "file_keys_rewrapped", actor: member, payload };
      return { result, audits: result.length === 0 ? [] : [audit] };
    });
    return { rewrapped };
  },
};

function isAdmin(member: Member): boolean {
  return member.role !== "member";
}

/** A shared file of the caller's mesh. @throws {MeshError} `not_found`, also for files of other meshes. */
async function visibleFile(call: Call, fileId: string): Promise<FileRow> {
  const { broker, connection: { mesh, member } } = call;
  const nowMs = broker.clock.now();
  const row = await findFile(broker.sql, mesh.id, fileId, { pubkey: member.pubkey, nowMs });
  if (row === null) throw noFile(fileId);
  if (!isReadable(row) && !isAdmin(member)) throw notShared(row);
  return row;
}

/** A file that the caller can open. @throws {MeshError} `not_found`, `forbidden`. */
async function readableFile(call: Call, fileId: string): Promise<FileRow> {
  const row = await visibleFile(call, fileId);
  if (!isReadable(row)) throw notShared(row);
  return row;
}

function noFile(fileId: string): MeshError {
  return new MeshError(
    "not_found",
    `there is no file "${fileId}"; it was deleted, has expired or never was: list the files`,
  );
}

function notShared({ memberName }: FileRow): MeshError {
  return new MeshError(
    "forbidden",
    `this file is not shared with you; ask ${memberName} to grant you access`,
  );
}

/** @throws {MeshError} `limit` when the file is sealed to as many members as it can be. */
function requireKeyRoom(
  { broker }: Call,
  fileId: string,
  peerPubkey: string,
  keys: readonly string[],
): void {
  const { fileKeys } = broker.settings.limits;
  if (keys.length < fileKeys || keys.includes(peerPubkey)) return;
  throw new MeshError(
    "limit",
    `"${fileId}" is sealed to ${fileKeys} members; share it with the whole mesh instead`,
    { data: { limit: fileKeys } },
  );
}

/** Members that `from` may mean: by key or by the name they have now or had then. */
function uploader({ connection: { mesh } }: Call, from: string) {
  const name = from.toLowerCase();
  const memberIds = [...mesh.membersById.values()]
    .filter(({ pubkey, displayName }) => pubkey === name || displayName.toLowerCase() === name)
    .map(({ id }) => id);
  return { memberIds, name };
}

/** @throws {MeshError} `invalid_argument` for a text that no answer had. */
function readCursor(cursor: string): { atMs: number; id: string } {
  const match = /^(\d{1,15})-([A-Za-z0-9_-]{1,64})$/.exec(cursor);
  if (match !== null) return { atMs: Number(match[1]), id: match[2] ?? "" };
  throw new MeshError("invalid_argument", "this is no `next` of a list of files", {
    data: { field: "cursor" },
  });
}
