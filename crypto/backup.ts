/**
 * Backup files (`.cmb`, protocol.md 4.10): "CMB1", salt, nonce, then XChaCha20-Poly1305 under a key
 * that Argon2id derives from a passphrase.
 *
 * The costs are libsodium's INTERACTIVE ones, since the format has no room to say others. Import
 * this file only where backups are made or read: its libraries are of no use elsewhere.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { concatBytes, equalBytes, utf8Encode } from "./bytes.ts";
import { randomBytes } from "./random.ts";

/** Fewest characters of a passphrase for a new backup. */
export const MIN_PASSPHRASE_CHARACTERS = 12;

/** What a backup file holds, or why it could not be read. */
export type BackupResult = { ok: true; plain: Uint8Array } | {
  ok: false;
  /** a damaged file looks like a wrong passphrase: the two cannot be told apart */
  reason: "not_a_backup" | "wrong_passphrase";
};

const MAGIC = utf8Encode("CMB1");
const SALT_BYTES = 16;
const NONCE_BYTES = 24;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const SALT_END = MAGIC.length + SALT_BYTES;
const HEADER_BYTES = SALT_END + NONCE_BYTES;
// One byte of content at least.
const MIN_FILE_BYTES = HEADER_BYTES + TAG_BYTES + 1;
const ARGON2_PASSES = 2;
const ARGON2_MEMORY_KIB = 64 * 1024;

/** The key behind a passphrase, 32 bytes; takes about a second. `salt` has 16 bytes. */
export async function deriveBackupKey(passphrase: string, salt: Uint8Array): Promise<Uint8Array> {
  return await argon2idAsync(utf8Encode(passphrase), salt, {
    t: ARGON2_PASSES,
    m: ARGON2_MEMORY_KIB,
    p: 1,
    dkLen: KEY_BYTES,
  });
}

/**
 * A backup file of `plain`. Throws RangeError when there is nothing in it or the passphrase has
 * fewer than `MIN_PASSPHRASE_CHARACTERS`.
 */
export async function sealBackup(plain: Uint8Array, passphrase: string): Promise<Uint8Array> {
  if (plain.length === 0) throw new RangeError("a backup holds at least one byte");
  if (Array.from(passphrase).length < MIN_PASSPHRASE_CHARACTERS) {
    throw new RangeError(`a passphrase has at least ${MIN_PASSPHRASE_CHARACTERS} characters`);
  }
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const key = await deriveBackupKey(passphrase, salt);
  return concatBytes(MAGIC, salt, nonce, xchacha20poly1305(key, nonce).encrypt(plain));
}

/** Reads a backup file. Never throws on what the file holds. */
export async function openBackup(file: Uint8Array, passphrase: string): Promise<BackupResult> {
  if (file.length < MIN_FILE_BYTES || !equalBytes(file.subarray(0, MAGIC.length), MAGIC)) {
    return { ok: false, reason: "not_a_backup" };
  }
  const key = await deriveBackupKey(passphrase, file.subarray(MAGIC.length, SALT_END));
  const cipher = xchacha20poly1305(key, file.subarray(SALT_END, HEADER_BYTES));
  try {
    return { ok: true, plain: cipher.decrypt(file.subarray(HEADER_BYTES)) };
  } catch {
    // noble throws when the tag does not match.
    return { ok: false, reason: "wrong_passphrase" };
  }
}
