/** Tests of backup files, with libsodium as second opinion. */
import assert from "node:assert/strict";
import sodium from "libsodium-wrappers-sumo";
import { openBackup, sealBackup } from "./backup.ts";
import { concatBytes, toHex, utf8Encode } from "./bytes.ts";

await sodium.ready;

const PASSPHRASE = "correct horse battery";
const plain = utf8Encode('{"meshes":[]}');

function sodiumKey(salt: Uint8Array): Uint8Array {
  return sodium.crypto_pwhash(
    32,
    PASSPHRASE,
    salt,
    sodium.crypto_pwhash_OPSLIMIT_INTERACTIVE,
    sodium.crypto_pwhash_MEMLIMIT_INTERACTIVE,
    sodium.crypto_pwhash_ALG_ARGON2ID13,
  );
}

Deno.test("libsodium reads our backup, and only with its passphrase do we", async () => {
  const file = await sealBackup(plain, PASSPHRASE);
  const opened = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
    null,
    file.subarray(44),
    null,
    file.subarray(20, 44),
    sodiumKey(file.subarray(4, 20)),
  );
  assert.equal(toHex(opened), toHex(plain));
  assert.deepEqual(await openBackup(file, PASSPHRASE), { ok: true, plain });
  const wrong = { ok: false, reason: "wrong_passphrase" };
  assert.deepEqual(await openBackup(file, PASSPHRASE + "."), wrong);
  file[file.length - 1]! ^= 1;
  assert.deepEqual(await openBackup(file, PASSPHRASE), wrong);
});

Deno.test("we read a backup that libsodium made", async () => {
  const salt = sodium.randombytes_buf(16);
  const nonce = sodium.randombytes_buf(24);
  const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    plain,
    null,
    null,
    nonce,
    sodiumKey(salt),
  );
  const file = concatBytes(utf8Encode("CMB1"), salt, nonce, sealed);
  assert.deepEqual(await openBackup(file, PASSPHRASE), { ok: true, plain });
});

Deno.test("what is no backup file is told from a wrong passphrase", async () => {
  const short = concatBytes(utf8Encode("CMB1"), new Uint8Array(56));
  const foreign = concatBytes(utf8Encode("CMB2"), new Uint8Array(57));
  for (const file of [new Uint8Array(), short, foreign]) {
    assert.deepEqual(await openBackup(file, PASSPHRASE), { ok: false, reason: "not_a_backup" });
  }
});

Deno.test("a passphrase of 11 characters and an empty backup are refused", async () => {
  await assert.rejects(sealBackup(plain, "x".repeat(11)), RangeError);
  await assert.rejects(sealBackup(plain, "🜁".repeat(11)), RangeError);
  await assert.rejects(sealBackup(new Uint8Array(), PASSPHRASE), RangeError);
});
