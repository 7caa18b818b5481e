/**
 * Sealed mesh keys as the broker handles them: it checks their shape, never their content, except for a mesh of custody
 * `broker`, whose key it keeps encrypted at rest to seal it to joiners.
 */
import { fromBase64 } from "../../../crypto/bytes.ts";
import { SEALED_BOX_OVERHEAD_BYTES } from "../../../crypto/box.ts";
import { sha256Hex } from "../../../crypto/kdf.ts";
import { EPOCH_KEY_BYTES, sealKeyFor } from "../../../crypto/mesh_key.ts";
import type { SqlExecutor } from "../../../storage/sql/port.ts";
import { anyBrokerKey, findBrokerKey } from "../../../storage/sql/queries/mesh_keys.ts";
import { MeshError } from "../../api/errors.ts";
import type { Custody } from "../../api/fields.ts";
import { brokerKeyPurpose } from "../at_rest.ts";
import type { BrokerContext } from "../context.ts";
import type { Mesh } from "../model.ts";

/** Whether `sealed` is base64 of as many bytes as a sealed mesh key has. */
export function isSealedKey(sealed: string): boolean {
  return bytesOf(sealed)?.length === EPOCH_KEY_BYTES + SEALED_BOX_OVERHEAD_BYTES;
}

/**
 * Returns the key that the broker is to keep, encrypted at rest: null for custody `members`.
 * @throws {MeshError} `invalid_argument` when a key comes that it must not see, when one that it needs is missing, or
 * when it is not the one that the proof names.
 */
export function keptKey(
  broker: Pick<BrokerContext, "atRest">,
  mesh: { readonly id: string; readonly custody: Custody },
  epoch: number,
  given: string | undefined,
  keyHash: string,
): Uint8Array | null {
  if (mesh.custody === "members") {
    if (given === undefined) return null;
    throw new MeshError(
      "invalid_argument",
      "the members keep this mesh's key: never send it to the broker. Rotate it now, it was exposed",
    );
  }
  const key = given === undefined ? null : bytesOf(given);
  if (key?.length !== EPOCH_KEY_BYTES || sha256Hex(key) !== keyHash) {
    throw new MeshError(
      "invalid_argument",
      "custody `broker` needs the mesh key itself, 32 bytes as base64, the one that the proof names",
    );
  }
  return broker.atRest.seal(key, brokerKeyPurpose(mesh.id, epoch));
}

/**
 * Seals the current key of a mesh of custody `broker` to a member key (64 hex): standard base64.
 * @throws {MeshError} `unavailable` when the broker has no copy of it; {Error} when it cannot open its copy.
 */
export async function sealKeptKey(
  broker: Pick<BrokerContext, "atRest">,
  executor: SqlExecutor,
  mesh: Mesh,
  pubkey: string,
): Promise<string> {
  const kept = await findBrokerKey(executor, mesh.id, mesh.epoch);
  if (kept === null) {
    throw new MeshError("unavailable", "the broker has no copy of this mesh's key at the moment");
  }
  return sealKeyFor(pubkey, broker.atRest.open(kept, brokerKeyPurpose(mesh.id, mesh.epoch)));
}

/**
 * Opens one of the keys that the broker keeps, if it keeps any: to be called at the start, so that a wrong
 * BROKER_ENCRYPTION_KEY stops it instead of every join.
 * @throws {Error} that says so.
 */
export async function requireRightKey(
  executor: SqlExecutor,
  atRest: BrokerContext["atRest"],
): Promise<void> {
  const kept = await anyBrokerKey(executor);
  if (kept === null) return;
  try {
    atRest.open(kept.brokerKey, brokerKeyPurpose(kept.meshId, kept.epoch));
  } catch (cause) {
    throw new Error(
      "BROKER_ENCRYPTION_KEY (or encryption.key in the data folder) is not the key that this store was used with. " +
        "Start the broker with the right one; without it the keys of meshes of custody `broker` are lost",
      { cause },
    );
  }
}

function bytesOf(text: string): Uint8Array | null {
  try {
    return fromBase64(text);
  } catch {
    // Not base64: no key.
    return null;
  }
}
