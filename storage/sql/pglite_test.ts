/** What only the embedded driver promises: one owner, a whole folder, and an end that is told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pgliteTemplate } from "../../tests/support/sql.ts";
import { openPglite } from "./pglite.ts";
import { SqlError } from "./port.ts";

async function withFolder(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "claudemesh-pglite-" });
  try {
    await run(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof SqlError && error.kind === "unavailable";
}

Deno.test("a folder is made whole, belongs to one store, and keeps its rows", async () => {
  await withFolder(async (dataDir) => {
    const leftover = join(dataDir, "postgres.new");
    await Deno.mkdir(leftover);
    await Deno.writeTextFile(join(leftover, "PG_VERSION"), "half a database");
    const sql = await openPglite({ dataDir });
    await assert.rejects(openPglite({ dataDir }), (error) => {
      assert.ok(isUnavailable(error));
      assert.match(String(error), new RegExp(`is open in process ${Deno.pid}; stop it first`));
      return true;
    });
    assert.match(sql.durability, /fdatasync per commit/);
    await sql.query("CREATE TABLE kept (id int4)");
    await sql.query("INSERT INTO kept VALUES (1)");
    sql.terminate();
    const again = await openPglite({ dataDir });
    assert.deepEqual(await again.query("SELECT id FROM kept"), [{ id: 1 }]);
    await again.close();
    assert.deepEqual(
      [...Deno.readDirSync(dataDir)].map((entry) => entry.name).sort(),
      ["broker.lock", "broker.pid", "postgres"],
    );
  });
});

Deno.test("an ended store rejects what waits and what comes, as unavailable", async () => {
  const sql = await openPglite({ dataDir: null, template: await pgliteTemplate() });
  const { promise: inside, resolve: onInside } = Promise.withResolvers<void>();
  const { promise: never } = Promise.withResolvers<void>();
  const outcomes = [
    sql.transaction(async (tx) => {
      await tx.query("SELECT 1");
      onInside();
      await Promise.race([never, tx.query("SELECT pg_sleep(600)")]);
    }),
    sql.query("SELECT 1"),
    sql.batch([{ text: "SELECT 1" }]),
  ];
  const settled = Promise.allSettled(outcomes);
  await inside;
  sql.terminate();
  for (const outcome of await settled) {
    assert.ok(outcome.status === "rejected" && isUnavailable(outcome.reason));
  }
  await assert.rejects(sql.query("SELECT 1"), isUnavailable);
  await sql.close();
});

Deno.test("closing waits for what was asked before, and is the last word", async () => {
  const sql = await openPglite({ dataDir: null, template: await pgliteTemplate() });
  const asked = sql.query("SELECT 1 AS one");
  await Promise.all([sql.close(), sql.close()]);
  assert.deepEqual(await asked, [{ one: 1 }]);
  await assert.rejects(sql.query("SELECT 1"), isUnavailable);
});

Deno.test("a transaction's statements are refused once it is over", async () => {
  const sql = await openPglite({ dataDir: null, template: await pgliteTemplate() });
  const tx = await sql.transaction((tx) => Promise.resolve(tx));
  await assert.rejects(tx.query("SELECT 1"), /the transaction is over/);
  await sql.close();
});

Deno.test("AGE can be created, and answers a graph query", async () => {
  const sql = await openPglite({ dataDir: null, template: await pgliteTemplate() });
  await sql.query("CREATE EXTENSION age");
  await sql.query("LOAD 'age'");
  await sql.query("SET search_path = ag_catalog, public");
  await sql.query("SELECT create_graph('trips')");
  const rows = await sql.query(
    `SELECT name::text FROM cypher('trips', $$
       CREATE (stop:Stop {name: 'Lisbon'}) RETURN stop.name
     $$) AS (name agtype)`,
  );
  assert.deepEqual(rows, [{ name: "Lisbon" }]);
  await sql.close();
});
