/**
 * Private keys on disk: an Ed25519 secret key as 128 hex characters in a file of mode 0600 inside a folder of mode 0700
 * (CONTRACTS 2). A key that others could read is refused, with the command that closes it.
 */
import { dirname } from "node:path";
import { type KeyPair, publicKeyOf, sign } from "../../crypto/sign.ts";
import { makePrivateDir, writeFileAtomically } from "./atomic_file.ts";
import { HomeError } from "./home_error.ts";

/** Writes a key, durably. The folder is made when missing. Throws HomeError `home_unusable`. */
export function writeKeyFile(path: string, keys: KeyPair): void {
  makePrivateDir(dirname(path));
  writeFileAtomically(path, keys.secretKey + "\n");
}

/**
 * Reads a key. Throws HomeError: `key_missing`, `key_mode` (group or others have any right to the file or its folder),
 * `key_malformed`.
 */
export function readKeyFile(path: string): KeyPair {
  checkPrivate(path);
  const text = Deno.readTextFileSync(path).trim();
  try {
    const publicKey = publicKeyOf(text);
    // Signing fails when the halves do not belong together.
    sign("", text);
    return { publicKey, secretKey: text };
  } catch (error) {
    // The cause is left out where it could quote the key; crypto's TypeErrors quote nothing.
    throw new HomeError(
      "key_malformed",
      `${path} holds no private key`,
      "put the file back from a backup, or leave the mesh and join it again",
      error instanceof TypeError ? error : undefined,
    );
  }
}

/** As `readKeyFile`, null when there is no such file. */
export function readKeyFileOrNull(path: string): KeyPair | null {
  try {
    return readKeyFile(path);
  } catch (error) {
    if (error instanceof HomeError && error.code === "key_missing") return null;
    throw error;
  }
}

/** Refuses a secret file, or a folder of such, that others may read. Throws HomeError `key_mode`, `key_missing`. */
export function checkPrivate(path: string): void {
  checkMode(dirname(path), "700");
  checkMode(path, "600");
}

function checkMode(path: string, wanted: string): void {
  let mode: number | null;
  try {
    mode = Deno.statSync(path).mode;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new HomeError(
      "key_missing",
      `${path} does not exist`,
      "put the file back from a backup, or leave the mesh and join it again",
    );
  }
  if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return;
  throw new HomeError(
    "key_mode",
    `${path} can be read by others (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`,
    `run: chmod ${wanted} '${path.replaceAll("'", "'\\''")}'`,
  );
}
