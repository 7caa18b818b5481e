/** Tests of the audit hash; its value is pinned by the wire vectors. */
import assert from "node:assert/strict";
import { AUDIT_GENESIS, type AuditEntry, auditHash } from "./audit_hash.ts";

const entry: AuditEntry = {
  prevHash: AUDIT_GENESIS,
  meshId: "mesh_1",
  eventType: "state_set",
  actorMemberId: "member_1",
  payload: { key: "a", size: 1 },
  createdAt: "2026-01-01T00:00:00.000Z",
};

Deno.test("the hash covers every field", () => {
  const changes: Partial<AuditEntry>[] = [
    {},
    { prevHash: auditHash(entry) },
    { meshId: "mesh_2" },
    { eventType: "state_get" },
    { actorMemberId: null },
    { payload: { key: "a", size: 2 } },
    { createdAt: "2026-01-01T00:00:00.001Z" },
  ];
  const hashes = changes.map((change) => auditHash({ ...entry, ...change }));
  assert.equal(new Set(hashes).size, changes.length);
});

Deno.test("the order of keys in the payload does not matter", () => {
  const payload = { size: 1, key: "a" };
  assert.equal(auditHash({ ...entry, payload }), auditHash(entry));
});

Deno.test("a field with the separator in it and a payload beyond JSON have no hash", () => {
  for (const field of ["prevHash", "meshId", "eventType", "actorMemberId", "createdAt"]) {
    assert.throws(() => auditHash({ ...entry, [field]: "a|b" }), TypeError);
  }
  assert.throws(() => auditHash({ ...entry, payload: undefined }), TypeError);
});
