/**
 * Encryption of the few secrets that the broker itself must be able to read again (mesh keys under custody `broker`):
 * AES-256-GCM under `BROKER_ENCRYPTION_KEY`. A sealed value is one version byte, 12 bytes of nonce, 16 bytes of tag and
 * the ciphertext; what it is for goes in as additional data, so that no value can be put in another's place.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { readPrivateFile, writePrivateFile } from "./private_file.ts";
import { concatBytes, fromHex, toHex } from "../../crypto/bytes.ts";
import { hkdfSha256 } from "../../crypto/kdf.ts";
import { type Random, systemRandom } from "./clock.ts";

/** Seals and opens secrets; `purpose` names the one place a value belongs to. */
export interface AtRest {
  seal(plain: Uint8Array, purpose: string): Uint8Array;
  /** @throws {Error} when it was sealed under another key or for another purpose, or was changed. */
  open(sealed: Uint8Array, purpose: string): Uint8Array;
}

/** Where the key came from: the configuration, a file of an earlier start, or a file made just now. */
export type AtRestKeySource = "configured" | "file" | "made";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES + TAG_BYTES;
const KEY_BYTES = 32;
const KEY_TEXT = /^[0-9a-fA-F]{64}$/;
const KEY_FILE = "encryption.key";

/** Seals under `key` (32 bytes). Throws TypeError on another length. */
export function atRest(key: Uint8Array, random: Random = systemRandom): AtRest {
  if (key.length !== KEY_BYTES) throw new TypeError(`the encryption key has ${KEY_BYTES} bytes`);
  return {
    seal(plain, purpose) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      cipher.setAAD(new TextEncoder().encode(purpose));
      const text = concatBytes(cipher.update(plain), cipher.final());
      return concatBytes(new Uint8Array([VERSION]), nonce, cipher.getAuthTag(), text);
    },
    open(sealed, purpose) {
      if (sealed.length < HEADER_BYTES || sealed[0] !== VERSION) {
        throw new Error("not a value that this program has encrypted");
      }
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEADER_BYTES));
      decipher.setAAD(new TextEncoder().encode(purpose));
      try {
        return concatBytes(decipher.update(sealed.subarray(HEADER_BYTES)), decipher.final());
      } catch (cause) {
        throw new Error("BROKER_ENCRYPTION_KEY is not the key that encrypted this store", {
          cause,
        });
      }
    },
  };
}

/**
 * The key to encrypt with: `configured` (64 hex characters) if given, else the one in the data folder, which is made
 * (0600) on the first start. Inside the project's container image there is no making one: a lost volume would take the
 * only copy with it, so the operator has to bring it.
 * @throws {Error} that says what to do: a malformed key, a file others can read, or none in a container.
 */
export async function loadAtRestKey(
  options: { configured: string | null; dataDir: string; container: boolean; random?: Random },
): Promise<{ key: Uint8Array; source: AtRestKeySource; path: string | null }> {
  const { configured, dataDir, container } = options;
  if (configured !== null) {
    return { key: parseKey(configured, "BROKER_ENCRYPTION_KEY"), source: "configured", path: null };
  }
  const path = `${dataDir}/${KEY_FILE}`;
  const kept = await readPrivateFile(path);
  if (kept !== null) return { key: parseKey(kept, path), source: "file", path };
  if (container) {
    throw new Error(
      "BROKER_ENCRYPTION_KEY is not set. In a container it must be given (or BROKER_ENCRYPTION_KEY_FILE, a file " +
        "that holds it): 64 hex characters, for example of `openssl rand -hex 32`, kept outside of the volume",
    );
  }
  const key = (options.random ?? systemRandom).bytes(KEY_BYTES);
  await writePrivateFile(path, toHex(key));
  return { key, source: "made", path };
}

/** A key of its own (32 bytes) for another use than sealing. */
export function derivedKey(key: Uint8Array, use: string): Uint8Array {
  return hkdfSha256(key, `claudemesh/${use}`, KEY_BYTES);
}

/** What a mesh key kept for a mesh of custody `broker` is sealed for. */
export function brokerKeyPurpose(meshId: string, epoch: number): string {
  return `claudemesh/mesh-key|${meshId}|${epoch}`;
}

function parseKey(text: string, where: string): Uint8Array {
  const trimmed = text.trim();
  if (!KEY_TEXT.test(trimmed)) {
    throw new Error(
      `${where} holds ${trimmed.length} characters that are not 64 hex characters. Make a key with ` +
        "`openssl rand -hex 32`, or bring back the one that this store was used with",
    );
  }
  return fromHex(trimmed);
}
