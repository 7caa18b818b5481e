/**
 * Keeps a data folder to one process. The lock is the operating system's, so it goes with the
 * process however that ends; the file that carries it stays, with the last owner's process id.
 */
import { join } from "node:path";
import { SqlError } from "./port.ts";

const LOCK_NAME = "broker.lock";

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
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  if (!(await file.tryLock(true))) {
    file.close();
    throw new SqlError(
      "unavailable",
      `the data folder ${dataDir} is open in ${await ownerOf(path)}; stop it first, or use ` +
        "another folder",
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  let held = true;
  return {
    release() {
      if (held) file.close();
      held = false;
    },
  };
}

/** Windows does not let others read a locked file, so the process may stay unnamed. */
async function ownerOf(path: string): Promise<string> {
  const pid = await Deno.readTextFile(path).then((text) => text.trim(), () => "");
  return /^\d+$/.test(pid) ? `process ${pid}` : "another process";
}
