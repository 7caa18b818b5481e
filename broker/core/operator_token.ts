/**
 * The operator's token: configured, or made at the first start and kept in the data folder (0600).
 */
import { join } from "node:path";
import { toBase64Url } from "../../crypto/bytes.ts";
import type { Random } from "./clock.ts";
import { readPrivateFile, writePrivateFile } from "./private_file.ts";

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
  await writePrivateFile(path, token);
  return { token, path };
}

async function readToken(path: string): Promise<string | null> {
  const token = await readPrivateFile(path);
  if (token === null || TOKEN.test(token)) return token;
  throw new Error(`${path} is damaged. Fix: remove it; the next start makes a new one`);
}
