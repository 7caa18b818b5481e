/** Which of a file's keys is taken. */
import assert from "node:assert/strict";
import { newFileKey, wrapFileKey } from "../../../crypto/file_key.ts";
import { sealKeyFor } from "../../../crypto/mesh_key.ts";
import { randomBytes } from "../../../crypto/random.ts";
import { generateKeyPair } from "../../../crypto/sign.ts";
import { fileKeyOf } from "./file_keys.ts";

const fileId = "A1b2C3d4E5f6G7h8A1b2C3d4E5f6G7h8";
const name = "report.pdf";

Deno.test("a key that anybody sealed does not stand before the one under the mesh key", () => {
  const [member, key, epochKey] = [generateKeyPair(), newFileKey(), randomBytes(32)];
  const keyring = { get: (epoch: number) => epoch === 2 ? epochKey : null };
  const sealedKey = sealKeyFor(member.publicKey, newFileKey());
  const wrappedKeys = [
    { epoch: 3, wrappedKey: wrapFileKey(key, randomBytes(32), fileId) },
    { epoch: 2, wrappedKey: wrapFileKey(key, epochKey, fileId) },
  ];
  const offered = { fileId, name, sealedKey, wrappedKeys };
  assert.deepEqual(fileKeyOf(offered, member.secretKey, keyring), key);
});

Deno.test("who has no mesh key opens the copy that was sealed, or is told to ask for one", () => {
  const [member, key] = [generateKeyPair(), newFileKey()];
  const wrappedKeys = [{ epoch: 1, wrappedKey: wrapFileKey(key, randomBytes(32), fileId) }];
  const sealed = { fileId, name, sealedKey: sealKeyFor(member.publicKey, key), wrappedKeys };
  const keyring = { get: () => null };
  assert.deepEqual(fileKeyOf(sealed, member.secretKey, keyring), key);
  const offered = { fileId, name, wrappedKeys };
  assert.throws(() => fileKeyOf(offered, member.secretKey, keyring), /no key for "report.pdf"/);
});
