/**
 * Keeps a data folder to one process. The lock is an exclusive transaction on an empty SQLite file:
 * the operating system's own, so it goes with the process however that ends, and it can be tried
 * without waiting on every version of the runtime.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqlError } from "./port.ts";

const LOCK_NAME = "broker.lock";
const PID_NAME = "broker.pid";

/** A held lock. */
export interface DataFolderLock {
  /** Gives the folder free. Idempotent. */
  release(): void;
}

/**
 * Locks a data folder, making it (0700) when it is missing.
 * @throws {SqlError} `unavailable` when another process, or this one, has it open.
 */
export async function lockDataFolder(dataDir: string): Promise<DataFolderLock> {
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, LOCK_NAME);
  await Deno.writeFile(path, new Uint8Array(), { append: true, mode: 0o600 });
  const pidPath = join(dataDir, PID_NAME);
  const file = tryLock(path);
  if (file === null) {
    throw new SqlError(
      "unavailable",
      `the data folder ${dataDir} is open in ${await ownerOf(pidPath)}; stop it first, or use ` +
        "another folder",
    );
  }
  await Deno.writeTextFile(pidPath, `${Deno.pid}\n`, { mode: 0o600 });
  let held = true;
  return {
    release() {
      if (held) file.close();
      held = false;
    },
  };
}

/** Returns the lock, null when somebody has it. */
function tryLock(path: string): DatabaseSync | null {
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec("BEGIN EXCLUSIVE");
    return file;
  } catch (error) {
    file.close();
    if (error instanceof Error && /locked/.test(error.message)) return null;
    throw error;
  }
}

async function ownerOf(pidPath: string): Promise<string> {
  const pid = await Deno.readTextFile(pidPath).then((text) => text.trim(), () => "");
  return /^\d+$/.test(pid) ? `process ${pid}` : "another process";
}
