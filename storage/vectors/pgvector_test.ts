/** What the pgvector driver does in an embedded database, where nobody else cleans up. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { linkMeshTemplate } from "../../tests/support/mesh_template.ts";
import { until } from "../../tests/support/until.ts";
import { pointAt, ROOMY } from "../../tests/support/vectors.ts";
import { PgliteMeshDatabases } from "../mesh_database/pglite.ts";
import { PgvectorVectors } from "./pgvector.ts";

const KIND = { embedding: "test", dimensions: 8 };
const MESH_ID = "mesh1";

interface State {
  readonly number: number;
  readonly points: number;
  readonly stale: number;
}

/** Runs `run` with a store of its own; `warnings` has what it said. */
async function withStore(
  run: (parts: {
    vectors: PgvectorVectors;
    databases: PgliteMeshDatabases;
    warnings: string[];
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-test-vectors-" });
  await linkMeshTemplate(folder);
  const databases = new PgliteMeshDatabases({ folder: join(folder, "meshes") });
  const warnings: string[] = [];
  const vectors = new PgvectorVectors(databases, (message) => warnings.push(message));
  try {
    await run({ vectors, databases, warnings });
  } finally {
    await vectors.close();
    await databases.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function stateOf(databases: PgliteMeshDatabases): Promise<State> {
  const text = "select number, points, stale from vector_collection";
  const [rows] = await databases.batch(MESH_ID, [{ text }], { timeoutMs: 10_000 });
  return rows?.[0] as unknown as State;
}

function pointsOf(count: number, turn: number) {
  return Array.from(
    { length: count },
    (_, at) =>
      pointAt(`p${at}`, Array.from({ length: 8 }, (_, axis) => Math.cos(at * axis + turn))),
  );
}

Deno.test("a collection whose points are replaced over and over is made anew, and found meanwhile", async () => {
  await withStore(async ({ vectors, databases, warnings }) => {
    assert.equal(await vectors.store(MESH_ID, "notes", KIND, pointsOf(500, 0), ROOMY), 500);
    const first = await stateOf(databases);
    const wanted = { vector: Float32Array.of(1, 1, 1, 1, 1, 1, 1, 1), skip: 0, filter: null };
    for (let turn = 1; turn <= 8; turn++) {
      const stored = vectors.store(MESH_ID, "notes", KIND, pointsOf(500, turn), ROOMY);
      const found = await vectors.search(MESH_ID, "notes", { ...wanted, limit: 500 });
      assert.equal(found.length, 500);
      assert.equal(await vectors.count(MESH_ID, "notes", ["p1", "p499", "p500"]), 2);
      assert.equal(await stored, 0);
    }
    // 1,000 and a fifth of the points are the mark.
    const last = await until("nothing more to clean up", 20_000, async () => {
      const state = await stateOf(databases);
      return state.stale < 1_100 ? state : null;
    });
    assert.ok(last.number > first.number);
    assert.equal(last.points, 500);
    assert.deepEqual(warnings, []);
    const tables = {
      text: "select relname from pg_class where relname ~ '^vector_points_[0-9]+$'",
    };
    const [names] = await databases.batch(MESH_ID, [tables], { timeoutMs: 10_000 });
    assert.deepEqual(names, [{ relname: `vector_points_${last.number}` }]);
  });
});

Deno.test("the indexes of embedded tables are left alone by vacuum", async () => {
  await withStore(async ({ vectors, databases }) => {
    await vectors.store(MESH_ID, "notes", KIND, pointsOf(1, 0), ROOMY);
    const text =
      "select reloptions::text as options from pg_class where relname ~ '^vector_points_1$'";
    const [rows] = await databases.batch(MESH_ID, [{ text }], { timeoutMs: 10_000 });
    assert.match(String(rows?.[0]?.options), /vacuum_index_cleanup=off/);
  });
});
