/**
 * Cleans shared files up: what has expired, uploads that nobody went on with, bytes of deleted files, and bytes that
 * no row speaks of.
 */
import { bucketOf, fileIdOf } from "../../storage/objects/object_name.ts";
import {
  allMeshIds,
  deletedFiles,
  knownFiles,
  overdueFiles,
  trimAccesses,
} from "../../storage/sql/queries/file_upkeep.ts";
import { markFileDeleted } from "../../storage/sql/queries/file_uploads.ts";
import type { BrokerContext } from "../core/context.ts";
import { removeBytes } from "../core/file_removal.ts";

const BATCH = 200;
const KEPT_ACCESSES = 1_000;
/** Bytes without a row may belong to an upload whose row is being written. */
const ORPHAN_AGE_MS = 86_400_000;

/**
 * Marks what is overdue as deleted and removes the bytes of everything that is.
 * @returns how many files are gone.
 * @throws {MeshError | SqlError} when the store failed; the next run goes on.
 */
export async function cleanFiles(broker: BrokerContext): Promise<number> {
  await markOverdue(broker);
  let count = 0;
  for (;;) {
    const doomed = await deletedFiles(broker.sql, BATCH);
    let gone = 0;
    for (const file of doomed) {
      if (await removeBytes(broker, await broker.meshes.find(file.meshId), file)) gone += 1;
    }
    count += gone;
    // What could not be removed comes again; the next run tries it.
    if (doomed.length < BATCH || gone === 0) break;
  }
  await broker.ledger.transact(null, async (tx) => {
    await trimAccesses(tx, KEPT_ACCESSES);
    return { result: null, audits: [] };
  });
  return count;
}

async function markOverdue(broker: BrokerContext): Promise<void> {
  const { clock, sql, settings: { limits }, transfers, meshes, ledger } = broker;
  const nowMs = clock.now();
  const untouchedSinceMs = nowMs - limits.uploadLifeMs;
  for (;;) {
    const overdue = await overdueFiles(sql, { nowMs, untouchedSinceMs, limit: BATCH });
    // A request that has been writing for a day is no abandoned upload.
    const due = overdue.filter(({ id }) => !transfers.isWriting(id));
    for (const { id, meshId, state } of due) {
      // An archived mesh is not found, and its chain is closed.
      const mesh = await meshes.find(meshId);
      await ledger.transact(mesh, async (tx) => {
        await markFileDeleted(tx, meshId, id, nowMs);
        const event = state === "shared" ? "file_expired" : "file_upload_expired";
        const audit = { event, actor: null, payload: { fileId: id } };
        return { result: null, audits: mesh === null ? [] : [audit] };
      });
    }
    if (overdue.length < BATCH || due.length === 0) return;
  }
}

/**
 * Removes objects and unfinished uploads that no row speaks of, of every mesh.
 * @returns how many.
 */
export async function removeOrphans(broker: BrokerContext): Promise<number> {
  const { sql, clock, stores: { objects } } = broker;
  const beforeMs = clock.now() - ORPHAN_AGE_MS;
  let count = 0;
  for (const meshId of await allMeshIds(sql)) {
    const bucket = bucketOf(meshId);
    for await (const keys of oldKeys(objects.list(bucket), (each) => each.modifiedAtMs, beforeMs)) {
      for (const { key } of await orphans(broker, meshId, keys)) {
        await objects.remove({ bucket, key });
        count += 1;
      }
    }
    const unfinished = objects.listUnfinished(bucket);
    for await (const keys of oldKeys(unfinished, (each) => each.touchedAtMs, beforeMs)) {
      for (const { key, ref } of await orphans(broker, meshId, keys)) {
        await objects.abort({ bucket, key, ref });
        count += 1;
      }
    }
  }
  return count;
}

/** The entries that are old enough, in groups. */
async function* oldKeys<Entry>(
  entries: AsyncIterable<Entry>,
  timeOf: (entry: Entry) => number,
  beforeMs: number,
): AsyncIterable<Entry[]> {
  let group: Entry[] = [];
  for await (const entry of entries) {
    if (timeOf(entry) >= beforeMs) continue;
    group.push(entry);
    if (group.length < BATCH) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Those of `entries` that are files of which there is no row; what is no file's key is left alone. */
async function orphans<Entry extends { readonly key: string }>(
  { sql }: BrokerContext,
  meshId: string,
  entries: readonly Entry[],
): Promise<Entry[]> {
  const ids = entries.flatMap(({ key }) => fileIdOf(key) ?? []);
  const known = await knownFiles(sql, meshId, ids);
  return entries.filter(({ key }) => {
    const id = fileIdOf(key);
    return id !== null && !known.has(id);
  });
}
