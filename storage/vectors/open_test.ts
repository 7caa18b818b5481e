/** Which store of vectors is opened, and what one that is not there is told as. */
import assert from "node:assert/strict";
import type { MeshDatabases } from "../mesh_database/port.ts";
import { type Row, SqlError, type SqlExecutor } from "../sql/port.ts";
import { isRecent, openVectors } from "./open.ts";
import { VectorsError } from "./port.ts";
import { openQdrantVectors } from "./qdrant.ts";

/** Databases that only remember that they were asked. */
function databases(driver: MeshDatabases["driver"], ...extensions: ("vector" | "age")[]) {
  const asked: string[] = [];
  const fake: MeshDatabases = {
    driver,
    extensions: new Set(extensions),
    prepare: () => Promise.resolve(),
    batch(meshId) {
      asked.push(meshId);
      return Promise.reject(new SqlError("unavailable", "only asked"));
    },
    exists: () => Promise.resolve(true),
    run: () => Promise.reject(new SqlError("unavailable", "not for members")),
    close: () => Promise.resolve(),
  };
  return { fake, asked };
}

function serverWith(version: string | null): SqlExecutor {
  return {
    query: <R extends object = Row>() =>
      Promise.resolve((version === null ? [] : [{ version }]) as unknown as R[]),
  };
}

const CASES: readonly (readonly [
  what: string,
  driver: MeshDatabases["driver"],
  version: string | null,
  expected: { driver: string; warning: RegExp | null },
])[] = [
  ["embedded databases", "pglite", null, { driver: "pgvector (embedded)", warning: null }],
  ["a server with pgvector", "postgres", "0.8.0", {
    driver: "pgvector (PostgreSQL)",
    warning: null,
  }],
  ["a server with an old pgvector", "postgres", "0.7.4", {
    driver: "pgvector (embedded)",
    warning: /has pgvector 0\.7\.4; install pgvector 0\.8 or later/,
  }],
  ["a server without pgvector", "postgres", null, {
    driver: "pgvector (embedded)",
    warning: /has no pgvector/,
  }],
];

for (const [what, driver, version, expected] of CASES) {
  Deno.test(`with ${what} vectors are kept with ${expected.driver}`, async () => {
    const isThere = driver === "pglite" || version !== null;
    const own = databases(driver, ...(isThere ? ["vector" as const] : []));
    const embedded = driver === "pglite" ? own : databases("pglite", "vector");
    const warnings: string[] = [];
    const vectors = await openVectors({
      qdrant: null,
      meshDatabases: own.fake,
      embedded: embedded.fake,
      sql: serverWith(version),
      onWarning: (message) => warnings.push(message),
    });
    assert.equal(vectors.driver, expected.driver);
    assert.equal(warnings.length, expected.warning === null ? 0 : 1);
    if (expected.warning !== null) assert.match(warnings[0] ?? "", expected.warning);
    await assert.rejects(vectors.collections("mesh1"), { kind: "unavailable" });
    const used = expected.driver === "pgvector (embedded)" ? embedded : own;
    assert.deepEqual(used.asked, ["mesh1"]);
  });
}

Deno.test("versions are compared as numbers", () => {
  assert.deepEqual(
    ["0.8", "0.8.5", "0.10.0", "1.0.0"].map(isRecent).concat(["0.7.9", "0.0.9", ""].map(isRecent)),
    [true, true, true, true, false, false, false],
  );
});

Deno.test("a Qdrant server that is not there, or refuses the key, is unavailable", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("forbidden: q-key", { status: 403 }),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const refused = await openQdrantVectors({ url, apiKey: "q-key" }).catch((error) => error);
  await server.shutdown();
  const gone = await openQdrantVectors({ url, apiKey: null }).catch((error) => error);
  for (const error of [refused, gone]) {
    assert.ok(error instanceof VectorsError && error.kind === "unavailable", String(error));
    assert.ok(!error.message.includes("q-key"));
  }
  assert.match(refused.message, /refuses the key \(HTTP 403\); correct QDRANT_API_KEY/);
});
