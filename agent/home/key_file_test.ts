/** Private keys on disk: written for the owner alone, refused when others may read them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { generateKeyPair } from "../../crypto/sign.ts";
import { HomeError } from "./home_error.ts";
import { readKeyFile, readKeyFileOrNull, writeKeyFile } from "./key_file.ts";

function withKeyPath(run: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    run(join(folder, "keys", "mesh1.key"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function refusal(path: string): HomeError {
  try {
    readKeyFile(path);
  } catch (error) {
    assert.ok(error instanceof HomeError);
    return error;
  }
  throw new Error("the key was read");
}

Deno.test("a key that was written is read again, and only its owner may", () =>
  withKeyPath((path) => {
    const keys = generateKeyPair();
    writeKeyFile(path, keys);
    assert.deepEqual(readKeyFile(path), keys);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(join(path, "..")).mode! & 0o777, 0o700);
  }));

Deno.test("a key or a folder that others may read is refused with the command that closes it", () =>
  withKeyPath((path) => {
    writeKeyFile(path, generateKeyPair());
    Deno.chmodSync(path, 0o640);
    assert.equal(refusal(path).code, "key_mode");
    assert.match(refusal(path).message, /mode 0640/);
    assert.equal(refusal(path).hint, `run: chmod 600 '${path}'`);
    assert.equal(refusal(path).exit, 7);
    Deno.chmodSync(path, 0o600);
    Deno.chmodSync(join(path, ".."), 0o755);
    assert.equal(refusal(path).hint, `run: chmod 700 '${join(path, "..")}'`);
  }));

Deno.test("a missing key is told from a damaged one, and neither error quotes the key", () =>
  withKeyPath((path) => {
    const keys = generateKeyPair();
    writeKeyFile(path, keys);
    const other = generateKeyPair();
    const halves = keys.secretKey.slice(0, 64) + other.publicKey;
    for (const text of ["", "0".repeat(127), halves, keys.secretKey.toUpperCase()]) {
      Deno.writeTextFileSync(path, text);
      const error = refusal(path);
      assert.equal(error.code, "key_malformed");
      assert.ok(!String(error.stack).includes(keys.secretKey.slice(0, 16)));
    }
    Deno.removeSync(path);
    assert.equal(refusal(path).code, "key_missing");
    assert.equal(readKeyFileOrNull(path), null);
  }));
