/** The running hashes of uploads that come in several requests. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { UploadHashes } from "./upload_hashes.ts";

function add(hashes: UploadHashes, fileId: string, offset: number, text: string): boolean {
  const known = hashes.at(fileId, offset);
  if (known === null) return false;
  known.hash.update(text);
  known.bytes += text.length;
  return true;
}

Deno.test("the hash of what came in pieces is that of the whole, and can be asked twice", () => {
  const hashes = new UploadHashes();
  assert.ok(add(hashes, "f", 0, "ab"));
  assert.ok(add(hashes, "f", 2, "c"));
  const whole = createHash("sha256").update("abc").digest("hex");
  assert.equal(hashes.digest("f", 3), whole);
  assert.equal(hashes.digest("f", 3), whole);
});

Deno.test("nothing is told of bytes that were not seen", () => {
  const hashes = new UploadHashes();
  assert.equal(hashes.at("f", 5), null);
  assert.ok(add(hashes, "f", 0, "ab"));
  // Less was stored than was seen: the next offset tells.
  assert.equal(hashes.at("f", 1), null);
  assert.equal(hashes.digest("f", 2), null);
  assert.ok(add(hashes, "g", 0, "ab"));
  hashes.forget("g");
  assert.equal(hashes.digest("g", 2), null);
});

Deno.test("nothing at all has the hash of nothing", () => {
  assert.equal(new UploadHashes().digest("f", 0), createHash("sha256").digest("hex"));
});

Deno.test("of very many uploads the oldest is forgotten", () => {
  const hashes = new UploadHashes();
  for (let count = 0; count <= 1_024; count++) add(hashes, `f${count}`, 0, "a");
  assert.equal(hashes.digest("f0", 1), null);
  assert.notEqual(hashes.digest("f1", 1), null);
});
