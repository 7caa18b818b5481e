/**
 * Makes the embedded database in a process of its own: that takes some 400 MiB, which the broker would keep for its whole
 * life.
 */
import { isPrepared, prepareDataFolder } from "../storage/sql/pglite.ts";
import { printErrorLine } from "./core/print.ts";

/**
 * The child's side: makes the database of `dataDir`.
 * @returns the exit code.
 */
export async function prepareStore(dataDir: string): Promise<number> {
  try {
    await prepareDataFolder(dataDir);
    return 0;
  } catch (error) {
    printErrorLine(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

/**
 * Has the database made by `command` (to which the folder is added) where there is none. A child that fails is no
 * failure here: opening the store tries again and says what is wrong.
 */
export async function havePrepared(dataDir: string, command: readonly string[]): Promise<void> {
  if (await isPrepared(dataDir)) return;
  const [program, ...args] = command;
  if (program === undefined) return;
  await new Deno.Command(program, { args: [...args, dataDir], stdin: "null" }).output();
}
