/**
 * Saves tests the making of meshes' embedded databases: the folder that new ones are copied from is made once per machine
 * (several seconds) and left in the temporary folder for all later ones.
 */
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { PgliteMeshDatabases } from "../../storage/mesh_database/pglite.ts";

/** What such a folder is made by and of. */
const MADE_BY = ["embedded_folder.ts", "embedded_postgres.ts", "tenant_reach.ts"];

let template: Promise<string> | null = null;

/** Has a broker with this data folder, or mesh databases in its `meshes`, begin with the folder made before. Idempotent. */
export async function linkMeshTemplate(dataDir: string): Promise<void> {
  const made = await (template ??= meshTemplate());
  await Deno.mkdir(join(dataDir, "meshes"), { recursive: true });
  await Deno.symlink(made, join(dataDir, "meshes", "template")).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
}

async function meshTemplate(): Promise<string> {
  const path = join(tmpdir(), `claudemesh-test-meshes-${(await digest()).slice(0, 16)}`);
  const lock = await Deno.open(`${path}.lock`, { write: true, create: true });
  try {
    await lock.lock(true);
    const isThere = await Deno.stat(path).then(() => true, () => false);
    if (!isThere) await make(path);
    return path;
  } finally {
    lock.close();
  }
}

async function digest(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(config.imports));
  for (const name of MADE_BY) {
    const url = new URL(`../../storage/mesh_database/${name}`, import.meta.url);
    hash.update(await Deno.readTextFile(url));
  }
  return hash.digest("hex");
}

async function make(path: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-" });
  const databases = new PgliteMeshDatabases({ folder });
  try {
    await databases.prepare();
    await databases.close();
    await Deno.rename(join(folder, "template"), path);
  } finally {
    await databases.close();
    await Deno.remove(folder, { recursive: true });
  }
}
