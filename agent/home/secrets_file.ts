/**
 * Small JSON files with secrets beside the keys: a mesh's epoch keys and the secrets of the invites made here. Mode 0600,
 * replaced atomically, refused when others may read them.
 */
import { dirname } from "node:path";
import { makePrivateDir, readTextOrNull, writeFileAtomically } from "./atomic_file.ts";
import { HomeError } from "./home_error.ts";
import { checkPrivate } from "./key_file.ts";

/** Reads a file of secrets; an empty object when there is none. Throws HomeError `key_mode`, `key_malformed`. */
export function readSecretsFile(path: string): Record<string, unknown> {
  const text = readTextOrNull(path);
  if (text === null) return {};
  checkPrivate(path);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // A parser's message would quote the secrets; the error below says all that may be said.
  }
  throw new HomeError(
    "key_malformed",
    `${path} is no JSON object`,
    "move the file away; keys that the broker holds sealed for this member are fetched again",
  );
}

/** Replaces a file of secrets, durably. Throws HomeError `home_unusable`. */
export function writeSecretsFile(path: string, value: Readonly<Record<string, unknown>>): void {
  makePrivateDir(dirname(path));
  writeFileAtomically(path, JSON.stringify(value, null, 2) + "\n");
}
