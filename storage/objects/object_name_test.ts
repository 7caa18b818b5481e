/** The names of buckets and objects. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bucketOf, fileIdOf, fileKey, requireBucket, requireObjectName } from "./object_name.ts";

const meshId = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const fileId = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).filter((id) => !id.startsWith("-"));

Deno.test("every mesh has a bucket of its own, also ids that differ in case alone", () => {
  fc.assert(fc.property(meshId, meshId, (one, other) => {
    requireBucket(bucketOf(one));
    assert.equal(bucketOf(one) === bucketOf(other), one === other);
  }));
  assert.notEqual(bucketOf("abC"), bucketOf("abc"));
  assert.equal(bucketOf("abc1"), "mesh-abc1");
});

Deno.test("a file's key is a name whatever the file is called, and gives the file's id back", () => {
  fc.assert(fc.property(fileId, fc.string({ unit: "binary", minLength: 1 }), (id, name) => {
    for (const day of [null, "2026-11-21"]) {
      const key = fileKey({ fileId: id, name, day });
      requireObjectName({ bucket: "mesh-a", key });
      assert.equal(fileIdOf(key), id);
    }
  }));
});

Deno.test("keys are laid out as in the reference protocol", () => {
  const named = { fileId: "F1", name: "Grüße 1.pdf" };
  assert.equal(fileKey({ ...named, day: null }), "shared/F1/Gru_e_1.pdf");
  assert.equal(fileKey({ ...named, day: "2026-11-21" }), "ephemeral/2026-11-21/F1/Gru_e_1.pdf");
  assert.equal(fileKey({ fileId: "F1", name: "../..", day: null }), "shared/F1/__..");
});

Deno.test("a key of another make has no file id", () => {
  for (const key of ["x", "shared/F1", "shared/F1/a/b", "other/F1/a", "ephemeral/F1/a"]) {
    assert.equal(fileIdOf(key), null, key);
  }
});
