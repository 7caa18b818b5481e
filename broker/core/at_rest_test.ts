/** Encryption at rest: what it opens, what it refuses, and where its key comes from. */
import assert from "node:assert/strict";
import { atRest, brokerKeyPurpose, loadAtRestKey } from "./at_rest.ts";

const key = new Uint8Array(32).fill(7);
const secret = new Uint8Array(32).fill(9);

Deno.test("a sealed secret opens for its purpose and holds nothing of the plaintext", () => {
  const box = atRest(key);
  const sealed = box.seal(secret, brokerKeyPurpose("mesh1", 1));
  assert.equal(sealed.length, 29 + 32);
  assert.ok(!sealed.toHex().includes("0909090909"));
  assert.deepEqual(box.open(sealed, brokerKeyPurpose("mesh1", 1)), secret);
});

Deno.test("a sealed secret does not open for another epoch, under another key, or changed", () => {
  const box = atRest(key);
  const sealed = box.seal(secret, brokerKeyPurpose("mesh1", 1));
  assert.throws(() => box.open(sealed, brokerKeyPurpose("mesh1", 2)), /BROKER_ENCRYPTION_KEY/);
  const other = atRest(new Uint8Array(32).fill(8));
  assert.throws(() => other.open(sealed, brokerKeyPurpose("mesh1", 1)), /BROKER_ENCRYPTION_KEY/);
  for (const index of [1, 14, 30]) {
    const changed = sealed.slice();
    changed[index]! ^= 1;
    assert.throws(() => box.open(changed, brokerKeyPurpose("mesh1", 1)), /BROKER_ENCRYPTION_KEY/);
  }
  assert.throws(() => box.open(sealed.subarray(0, 20), "x"), /not a value/);
});

Deno.test("the same secret is never sealed to the same bytes", () => {
  const box = atRest(key);
  assert.notDeepEqual(box.seal(secret, "a"), box.seal(secret, "a"));
});

Deno.test("without a configured key one is made with mode 0600 and found again", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const made = await loadAtRestKey({ configured: null, dataDir, container: false });
    assert.equal(made.source, "made");
    assert.equal((await Deno.stat(made.path!)).mode! & 0o777, 0o600);
    // A volume that already has its key is fine in a container too.
    const again = await loadAtRestKey({ configured: null, dataDir, container: true });
    assert.equal(again.source, "file");
    assert.deepEqual(again.key, made.key);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("in a container a missing key stops the start and leaves no file behind", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    await assert.rejects(
      loadAtRestKey({ configured: null, dataDir, container: true }),
      /BROKER_ENCRYPTION_KEY is not set.*openssl rand/,
    );
    assert.deepEqual([...Deno.readDirSync(dataDir)], []);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a key file that others can read is refused with the fix", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const { path } = await loadAtRestKey({ configured: null, dataDir, container: false });
    await Deno.chmod(path!, 0o644);
    await assert.rejects(
      loadAtRestKey({ configured: null, dataDir, container: false }),
      /mode 644.*chmod 600/,
    );
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a malformed key is refused by its shape, never by its value", async () => {
  const error = await loadAtRestKey({ configured: "hunter2", dataDir: "/", container: false })
    .then(() => null, (cause: Error) => cause);
  assert.match(error!.message, /^BROKER_ENCRYPTION_KEY holds 7 characters/);
  assert.ok(!error!.message.includes("hunter2"));
});
