/**
 * `config.json`: the meshes this peer has joined and its settings, without secrets (CONTRACTS 2; shape after the
 * reference's cli.md 2.2). Changed under a lock, so that two programs at once do not undo each other's change.
 */
import { join } from "node:path";
import { makePrivateDir, readTextOrNull, writeFileAtomically } from "./atomic_file.ts";
import { HomeError } from "./home_error.ts";
import type { HomePaths } from "./paths.ts";

/** One joined mesh. */
export interface ConfigMesh {
  readonly meshId: string;
  readonly slug: string;
  readonly name: string;
  readonly memberId: string;
  /** This member's public key, 64 hex. */
  readonly pubkey: string;
  /** HTTP base of the broker, without a trailing slash. */
  readonly brokerUrl: string;
  readonly role: "owner" | "admin" | "member";
  readonly ownerPubkey: string;
  readonly custody: "members" | "broker";
  readonly displayName: string;
  /** ISO 8601. */
  readonly joinedAt: string;
}

export interface Config {
  readonly version: 1;
  readonly meshes: readonly ConfigMesh[];
  readonly displayName?: string;
  readonly messageMode?: "push" | "inbox" | "off";
}

const MESH_TEXTS = ["meshId", "slug", "name", "memberId", "brokerUrl", "displayName", "joinedAt"];
const PUBLIC_KEY = /^[0-9a-f]{64}$/;
// A mesh id names files; whatever a broker answers, it must not leave the folder.
const FILE_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Returns the configuration; an empty one when there is no file. Throws HomeError `bad_config` naming the path. */
export function readConfig(paths: HomePaths): Config {
  const text = readTextOrNull(paths.configFile);
  if (text === null) return { version: 1, meshes: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badConfig(paths, "it is not JSON", error);
  }
  return checked(value, paths);
}

/**
 * Replaces the configuration by `change(current)` and returns it. Other programs' changes wait meanwhile.
 * Throws HomeError, and what `change` throws; the file is untouched then.
 */
export function updateConfig(paths: HomePaths, change: (config: Config) => Config): Config {
  makePrivateDir(paths.configDir);
  using lock = Deno.openSync(join(paths.configDir, ".config.lock"), {
    write: true,
    create: true,
    mode: 0o600,
  });
  lock.lockSync(true);
  const next = checked(change(readConfig(paths)), paths);
  writeFileAtomically(paths.configFile, JSON.stringify(next, null, 2) + "\n");
  return next;
}

/** Whether `meshId` can name files. */
export function isMeshId(meshId: string): boolean {
  return FILE_NAME.test(meshId);
}

function checked(value: unknown, paths: HomePaths): Config {
  if (!isRecord(value)) throw badConfig(paths, "it is no JSON object");
  if (value.version !== undefined && value.version !== 1) {
    throw badConfig(paths, `its version is ${JSON.stringify(value.version)}, this program reads 1`);
  }
  const meshes = value.meshes ?? [];
  if (!Array.isArray(meshes)) throw badConfig(paths, '"meshes" is no list');
  meshes.forEach((mesh, index) => {
    const wrong = wrongField(mesh);
    if (wrong !== null) throw badConfig(paths, `"meshes[${index}].${wrong}" is missing or wrong`);
  });
  return { ...value, version: 1, meshes: meshes as ConfigMesh[] } as Config;
}

function wrongField(mesh: unknown): string | null {
  if (!isRecord(mesh)) return "meshId";
  for (const name of MESH_TEXTS) {
    if (typeof mesh[name] !== "string" || mesh[name] === "") return name;
  }
  if (!isMeshId(mesh.meshId as string)) return "meshId";
  for (const name of ["pubkey", "ownerPubkey"]) {
    if (typeof mesh[name] !== "string" || !PUBLIC_KEY.test(mesh[name])) return name;
  }
  if (!["owner", "admin", "member"].includes(mesh.role as string)) return "role";
  if (!["members", "broker"].includes(mesh.custody as string)) return "custody";
  return null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function badConfig(paths: HomePaths, why: string, cause?: unknown): HomeError {
  return new HomeError(
    "bad_config",
    `cannot read ${paths.configFile}: ${why}`,
    "correct the file, or move it away and join the meshes again; keys stay where they are",
    cause,
  );
}
