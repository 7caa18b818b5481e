/**
 * Who can open a shared file: its key sealed to members, or wrapped under the mesh key of an epoch, and wrapped anew
 * after a rotation, so that old files stay readable and who joined since can read them.
 */
import type * as z from "zod";
import type { wrappedFileKey } from "../../../broker/api/file_fields.ts";
import { sharedFiles } from "../../../broker/api/shared_files.ts";
import { unwrapFileKey, wrapFileKey } from "../../../crypto/file_key.ts";
import { openSealedKey } from "../../../crypto/mesh_key.ts";
import { MeshError } from "../../../broker/api/errors.ts";
import type { Keyring } from "../keyring.ts";
import { LocalError } from "../local_error.ts";
import type { MeshPeerApi } from "../mesh_peer_api.ts";

/** The copies of a file's key that a member was given. */
export interface OfferedFileKeys {
  readonly fileId: string;
  readonly name: string;
  readonly sealedKey?: string | undefined;
  readonly wrappedKeys: readonly z.infer<typeof wrappedFileKey>[];
}

const PAGES = 100;

/**
 * The key of a file, from the copy that this member can open.
 * @throws {LocalError} `waiting_for_key` when there is none.
 */
export function fileKeyOf(
  offered: OfferedFileKeys,
  memberSecretKey: string,
  keyring: Pick<Keyring, "get">,
): Uint8Array {
  const { fileId, sealedKey, wrappedKeys } = offered;
  // First those that only holders of a mesh key can have made: anybody can seal something to a member.
  for (const { epoch, wrappedKey } of wrappedKeys) {
    const epochKey = keyring.get(epoch);
    const key = epochKey === null ? null : unwrapFileKey(wrappedKey, epochKey, fileId);
    if (key !== null) return key;
  }
  if (sealedKey !== undefined) {
    const key = openSealedKey(memberSecretKey, sealedKey);
    if (key?.length === 32) return key;
  }
  throw new LocalError("waiting_for_key", `this agent has no key for "${offered.name}"`, {
    hint: "who shared it can give it to you: claudemesh file grant ID YOUR-NAME",
  });
}

/**
 * Wraps the keys of files anew whose copies are under an older epoch, those that this agent can open; returns how many.
 * @throws {MeshError | LocalError} as the broker answers.
 */
export async function rewrapFileKeys(
  call: MeshPeerApi["call"],
  keyring: Pick<Keyring, "get">,
): Promise<number> {
  let count = 0;
  const tried = new Set<string>();
  for (let page = 0; page < PAGES; page++) {
    const { epoch, files } = await call(sharedFiles.listStaleFileKeys, {});
    const current = keyring.get(epoch);
    const fresh = files.filter((file) => !tried.has(file.fileId));
    if (current === null || fresh.length === 0) return count;
    const keys = fresh.flatMap((file) => {
      tried.add(file.fileId);
      const old = keyring.get(file.epoch);
      const key = old === null ? null : unwrapFileKey(file.wrappedKey, old, file.fileId);
      if (key === null) return [];
      return [{ fileId: file.fileId, wrappedKey: wrapFileKey(key, current, file.fileId) }];
    });
    if (keys.length === 0) return count;
    try {
      const { rewrapped } = await call(sharedFiles.rewrapFileKeys, { epoch, keys });
      count += rewrapped.length;
    } catch (error) {
      // The mesh key was rotated again meanwhile: the next change of keys begins anew.
      if (error instanceof MeshError && error.code === "stale_epoch") return count;
      throw error;
    }
  }
  return count;
}
