/**
 * The operator's token: configured, or made at the first start and kept in the data folder (0600).
 */
import { join } from "node:path";
import { toBase64Url } from "../../crypto/bytes.ts";
import type { Random } from "./clock.ts";

const TOKEN_FILE = "operator.token";
const TOKEN_BYTES = 32;
const TOKEN = /^[\x21-\x7e]{32,256}$/;

/**
 * Returns the token, and the file that holds it (null when it was configured).
 * @throws {Error} that says what to do when the file is damaged or others can read it.
 */
export async function loadOperatorToken(
  options: { configured: string | null; dataDir: string; random: Random },
): Promise<{ token: string; path: string | null }> {
  const { configured, dataDir, random } = options;
  if (configured !== null) return { token: configured, path: null };
  const path = join(dataDir, TOKEN_FILE);
  const kept = await readToken(path);
  if (kept !== null) return { token: kept, path };
  const token = toBase64Url(random.bytes(TOKEN_BYTES));
  await Deno.writeTextFile(path, `${token}\n`, { createNew: true, mode: 0o600 });
  return { token, path };
}

async function readToken(path: string): Promise<string | null> {
  let mode: number | null;
  try {
    mode = (await Deno.stat(path)).mode;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
  if (Deno.build.os !== "windows" && mode !== null && (mode & 0o077) !== 0) {
    throw new Error(
      `${path} can be read by others (mode ${(mode & 0o777).toString(8)}). Fix: chmod 600 ${path}`,
    );
  }
  const token = (await Deno.readTextFile(path)).trim();
  if (TOKEN.test(token)) return token;
  throw new Error(`${path} is damaged. Fix: remove it; the next start makes a new one`);
}
