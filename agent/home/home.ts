/**
 * A peer's home: its configuration, keys and state folders behind one object, which is what the agent's core is given
 * (its port is `AgentHome` in `agent/core/agent_home.ts`).
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { KeyPair } from "../../crypto/sign.ts";
import { makePrivateDir, removeIfThere } from "./atomic_file.ts";
import { type Config, isMeshId, readConfig, updateConfig } from "./config_file.ts";
import { HomeError } from "./home_error.ts";
import { readKeyFile, readKeyFileOrNull, writeKeyFile } from "./key_file.ts";
import { type HomePaths, homePaths, meshStateDir } from "./paths.ts";
import { readSecretsFile, writeSecretsFile } from "./secrets_file.ts";

/** What is kept of an epoch's key. */
export interface StoredEpoch {
  /** 32 bytes, standard base64. */
  readonly key: string;
  /** The proof as the broker gave it; checked before it was stored. */
  readonly proof: unknown;
  /** When this peer got it, milliseconds since 1970. */
  readonly atMs: number;
}

export class Home {
  readonly paths: HomePaths;

  /** The home at `paths`; those of the environment by default. Touches no file. */
  constructor(paths: HomePaths = homePaths()) {
    this.paths = paths;
  }

  /** Returns the configuration, empty when there is none. Throws HomeError `bad_config`. */
  readConfig(): Config {
    return readConfig(this.paths);
  }

  /** Replaces the configuration by `change(current)`, durably and alone; returns it. Throws HomeError. */
  updateConfig(change: (config: Config) => Config): Config {
    return updateConfig(this.paths, change);
  }

  /** Returns this member's key pair in a mesh. Throws HomeError `key_missing`, `key_mode`, `key_malformed`. */
  readMemberKey(meshId: string): KeyPair {
    return readKeyFile(this.#keyPath(meshId, "key"));
  }

  /** Stores this member's key pair in a mesh, durably. Throws HomeError. */
  writeMemberKey(meshId: string, keys: KeyPair): void {
    writeKeyFile(this.#keyPath(meshId, "key"), keys);
  }

  /** Returns the key pair made earlier for a join or creation that has not ended, null when there is none. */
  readPendingKey(purpose: string): KeyPair | null {
    return readKeyFileOrNull(this.#pendingPath(purpose));
  }

  /** Stores a key pair before its mesh is known, durably: what a broken-off join is taken up with again. */
  writePendingKey(purpose: string, keys: KeyPair): void {
    writeKeyFile(this.#pendingPath(purpose), keys);
  }

  /** Deletes a pending key: it has become a member key, or no broker wants it. */
  dropPendingKey(purpose: string): void {
    removeIfThere(this.#pendingPath(purpose));
  }

  /** Returns the stored keys of a mesh by epoch. Throws HomeError `key_mode`, `key_malformed`. */
  readEpochs(meshId: string): Map<number, StoredEpoch> {
    const epochs = new Map<number, StoredEpoch>();
    for (
      const [name, value] of Object.entries(readSecretsFile(this.#keyPath(meshId, "epochs.json")))
    ) {
      const stored = value as Partial<StoredEpoch> | null;
      if (typeof stored?.key === "string" && typeof stored.atMs === "number") {
        epochs.set(Number(name), { key: stored.key, proof: stored.proof, atMs: stored.atMs });
      }
    }
    return epochs;
  }

  /** Replaces the stored keys of a mesh, durably. Throws HomeError. */
  writeEpochs(meshId: string, epochs: ReadonlyMap<number, StoredEpoch>): void {
    writeSecretsFile(this.#keyPath(meshId, "epochs.json"), Object.fromEntries(epochs));
  }

  /** Returns the secrets of invites by code (base64url), those made here and the one this member joined with. */
  readInviteSecrets(meshId: string): Map<string, string> {
    const stored = Object.entries(readSecretsFile(this.#keyPath(meshId, "invites.json")));
    return new Map(
      stored.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
    );
  }

  /** Remembers the secret of one more invite, durably. Throws HomeError. */
  addInviteSecret(meshId: string, code: string, secret: string): void {
    const secrets = this.readInviteSecrets(meshId).set(code, secret);
    writeSecretsFile(this.#keyPath(meshId, "invites.json"), Object.fromEntries(secrets));
  }

  /**
   * Returns the key pair of one session in one mesh, made at the first call: a session is the same peer after a restart.
   * `make` makes a new pair. Throws HomeError.
   */
  sessionKey(meshId: string, sessionId: string, make: () => KeyPair): KeyPair {
    const digest = createHash("sha256").update(sessionId).digest("hex").slice(0, 32);
    const path = join(this.paths.keysDir, "sessions", checkedId(meshId), `${digest}.key`);
    makePrivateDir(join(this.paths.keysDir, "sessions"));
    const known = readKeyFileOrNull(path);
    if (known !== null) return known;
    const made = make();
    writeKeyFile(path, made);
    return made;
  }

  /** Returns the folder of a mesh's inbox, outbox and caches; made when missing. Throws HomeError. */
  stateDir(meshId: string): string {
    const path = meshStateDir(this.paths, checkedId(meshId));
    makePrivateDir(this.paths.configDir);
    makePrivateDir(path);
    return path;
  }

  /** Forgets a mesh: configuration, keys, messages. Throws HomeError. */
  forgetMesh(meshId: string): void {
    this.updateConfig((config) => ({
      ...config,
      meshes: config.meshes.filter((mesh) => mesh.meshId !== meshId),
    }));
    for (const kind of ["key", "epochs.json", "invites.json"]) {
      removeIfThere(this.#keyPath(meshId, kind));
    }
    removeIfThere(join(this.paths.keysDir, "sessions", checkedId(meshId)));
    removeIfThere(meshStateDir(this.paths, meshId));
  }

  #keyPath(meshId: string, kind: string): string {
    return join(this.paths.keysDir, `${checkedId(meshId)}.${kind}`);
  }

  #pendingPath(purpose: string): string {
    const digest = createHash("sha256").update(purpose).digest("hex").slice(0, 32);
    return join(this.paths.keysDir, `pending-${digest}.key`);
  }
}

function checkedId(meshId: string): string {
  if (isMeshId(meshId)) return meshId;
  throw new HomeError(
    "bad_config",
    `${JSON.stringify(meshId)} is no mesh id`,
    "the broker or config.json names a mesh by something that cannot be a file name",
  );
}
