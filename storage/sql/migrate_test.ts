/** Migrations on both drivers: applied once, in order, and never over a schema they do not know. */
import assert from "node:assert/strict";
import { driverAvailable, openTestStore, type SqlDriver } from "../../tests/support/sql.ts";
import { migrate } from "./migrate.ts";
import { type Migration, MIGRATIONS } from "./migrations.ts";
import type { Sql } from "./port.ts";

const FIRST: Migration = {
  number: 1,
  name: "first",
  text: "CREATE TABLE mesh.a (id int4); INSERT INTO mesh.a VALUES (1);",
};
const SECOND: Migration = { number: 2, name: "second", text: "ALTER TABLE mesh.a ADD b text;" };
const BROKEN: Migration = {
  number: 2,
  name: "broken",
  text: "CREATE TABLE mesh.half (id int4);\nSELECT no_such_function();",
};

/** Runs a case on a database without any schema, on each driver. */
function onEmptyDatabase(name: string, run: (sql: Sql) => Promise<void>): void {
  for (const driver of ["pglite", "postgres"] satisfies SqlDriver[]) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: !driverAvailable(driver),
      async fn() {
        const sql = await openTestStore(driver);
        try {
          await sql.query("DROP SCHEMA mesh, mesh_tenant CASCADE");
          await run(sql);
        } finally {
          await sql.close();
        }
      },
    });
  }
}

onEmptyDatabase("migrations run once each, in order, and are recorded", async (sql) => {
  assert.deepEqual(await migrate(sql, [FIRST]), [1]);
  assert.deepEqual(await migrate(sql, [FIRST, SECOND]), [2]);
  assert.deepEqual(await migrate(sql, [FIRST, SECOND]), []);
  assert.deepEqual(await sql.query("SELECT * FROM mesh.a"), [{ id: 1, b: null }]);
  assert.deepEqual(
    await sql.query("SELECT number, name, length(sha256) AS digits FROM mesh.migration"),
    [{ number: 1, name: "first", digits: 64 }, { number: 2, name: "second", digits: 64 }],
  );
});

onEmptyDatabase("programs that start at once apply a migration once", async (sql) => {
  const done = await Promise.all([1, 2, 3].map(() => migrate(sql, [FIRST, SECOND])));
  assert.deepEqual(done.flat().sort(), [1, 2]);
});

onEmptyDatabase("a migration that fails is named and leaves nothing", async (sql) => {
  await assert.rejects(migrate(sql, [FIRST, BROKEN]), /^SqlError: migration 2 \(broken\): /);
  const [row] = await sql.query("SELECT to_regclass('mesh.half')::text AS half");
  assert.deepEqual(row, { half: null });
  assert.deepEqual(await migrate(sql, [FIRST, SECOND]), [2]);
});

onEmptyDatabase("a newer database is refused, and so is a changed migration", async (sql) => {
  await migrate(sql, [FIRST, SECOND]);
  await assert.rejects(migrate(sql, [FIRST]), /has schema 2, this program knows up to 1; start/);
  await assert.rejects(
    migrate(sql, [{ ...FIRST, text: `${FIRST.text} -- edited` }, SECOND]),
    /migration 1 \(first\) of the database is not the one this program has/,
  );
  assert.deepEqual(
    await migrate(sql, [FIRST, SECOND].map((m) => ({ ...m, text: m.text.replace(/\n/g, "\r\n") }))),
    [],
  );
});

onEmptyDatabase("the program's own migrations apply to an empty database", async (sql) => {
  assert.deepEqual(await migrate(sql), MIGRATIONS.map((migration) => migration.number));
});

Deno.test("migrations are numbered from 1 without gaps", () => {
  assert.deepEqual(
    MIGRATIONS.map((migration) => migration.number),
    MIGRATIONS.map((_, index) => index + 1),
  );
});
