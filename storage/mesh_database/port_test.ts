/** What every driver of mesh databases promises. */
import assert from "node:assert/strict";
import { meshDatabasesTest } from "../../tests/support/mesh_databases.ts";
import { SqlError, type SqlErrorKind } from "../sql/port.ts";
import type { MemberSqlBounds, MemberSqlResult, MeshDatabases } from "./port.ts";

const BOUNDS: MemberSqlBounds = { timeoutMs: 10_000, maxRows: 100, maxBytes: 100_000 };
const WORK = { timeoutMs: 10_000 };

function runner(databases: MeshDatabases, meshId = "one") {
  function run(
    text: string,
    { readOnly = false, ...bounds }: Partial<MemberSqlBounds> & { readOnly?: boolean } = {},
  ): Promise<MemberSqlResult> {
    return databases.run(meshId, { text, readOnly, bounds: { ...BOUNDS, ...bounds } });
  }
  return run;
}

function failsAs(kind: SqlErrorKind, message = /./) {
  return (error: unknown): true => {
    assert.ok(error instanceof SqlError, String(error));
    assert.equal(error.kind, kind, `${error.sqlState} ${error.message}`);
    assert.match(error.message, message);
    return true;
  };
}

meshDatabasesTest("a member's statements make tables, change rows and read them", async (test) => {
  const run = runner(test.databases);
  await run("CREATE TABLE deploys (id serial PRIMARY KEY, service text UNIQUE)");
  const added = await run("INSERT INTO deploys (service) VALUES ('api'), ('web') RETURNING id");
  assert.deepEqual([added.rows, added.rowCount, added.isCut], [[[1], [2]], 2, false]);
  const read = await run("SELECT * FROM deploys ORDER BY id", { readOnly: true });
  assert.deepEqual(read.columns, [{ name: "id", type: "int4" }, { name: "service", type: "text" }]);
  assert.deepEqual(read.rows, [[1, "api"], [2, "web"]]);
  await assert.rejects(
    run("INSERT INTO deploys (service) VALUES ('api')"),
    failsAs("conflict", /duplicate key .*Key \(service\)=\(api\) already exists/),
  );
  assert.equal((await run("DELETE FROM deploys")).rowCount, 2);
});

meshDatabasesTest("values keep their meaning in JSON", async (test) => {
  const { rows: [row], columns } = await runner(test.databases)(
    `SELECT 9007199254740993::int8 AS large, 12::int8 AS small, 1.50::numeric AS exact,
       'NaN'::float8 AS none, '\\x00ff'::bytea AS bytes, ARRAY[1, NULL] AS list,
       '{"a": [1]}'::jsonb AS document, true AS yes, NULL::text AS nothing,
       timestamptz '2026-11-21 10:00:00.5+02' AS at, timestamp 'infinity' AS never,
       'one'::text AS one, 'one'::text AS one, '(1,2)'::point AS place`,
  );
  assert.deepEqual(row, [
    "9007199254740993",
    12,
    "1.50",
    "NaN",
    "\\x00ff",
    [1, null],
    { a: [1] },
    true,
    null,
    "2026-11-21T08:00:00.5Z",
    "infinity",
    "one",
    "one",
    "(1,2)",
  ]);
  assert.deepEqual(columns.slice(-2).map(({ type }) => type), ["text", "point"]);
});

meshDatabasesTest(
  "an answer is cut at its rows and bytes, and read on from where it was",
  async (test) => {
    const run = runner(test.databases);
    const text = "SELECT n FROM generate_series(1, 25) n";
    const whole = await run(text, { maxRows: 25, readOnly: true });
    assert.deepEqual([whole.rows.length, whole.isCut], [25, false]);
    const page = await run(text, { maxRows: 10, skipRows: 20, readOnly: true });
    assert.deepEqual([page.rows.flat(), page.isCut], [[21, 22, 23, 24, 25], false]);
    const first = await run(text, { maxRows: 24, readOnly: true });
    assert.deepEqual([first.rows.length, first.isCut], [24, true]);
    const wide = await run("SELECT repeat('x', 400) FROM generate_series(1, 10)", {
      maxBytes: 1_000,
    });
    assert.deepEqual([wide.rows.length, wide.isCut, wide.rowCount], [2, true, 10]);
    const long = await run("SELECT repeat('x', 50000000)", { readOnly: true });
    assert.deepEqual([long.rows, long.isCut], [[], true]);
    assert.equal((await run("SELECT 1")).rows.length, 1);
  },
);

meshDatabasesTest("rows that are changed are counted beyond what is shown", async (test) => {
  const run = runner(test.databases);
  await run("CREATE TABLE many (n int)");
  const text = "INSERT INTO many SELECT generate_series(1, 500) RETURNING n";
  const { rows, rowCount, isCut } = await run(text, { maxRows: 3 });
  assert.deepEqual([rows.flat(), rowCount, isCut], [[1, 2, 3], 500, true]);
  assert.deepEqual((await run("SELECT count(*) FROM many")).rows, [[500]]);
});

meshDatabasesTest("a reading statement changes nothing, however it tries", async (test) => {
  const run = runner(test.databases);
  await run("CREATE TABLE kept (n int)");
  for (
    const text of [
      "INSERT INTO kept VALUES (1)",
      "WITH added AS (INSERT INTO kept VALUES (1) RETURNING n) SELECT * FROM added",
      "DO $$ BEGIN INSERT INTO kept VALUES (1); END $$",
      "DO $$ BEGIN SET TRANSACTION READ WRITE; INSERT INTO kept VALUES (1); END $$",
      "DO $$ BEGIN COMMIT; INSERT INTO kept VALUES (1); END $$",
      "CREATE TABLE other (n int)",
      "DROP TABLE kept",
    ]
  ) {
    await assert.rejects(run(text, { readOnly: true }), SqlError, text);
  }
  // These succeed, but nothing can follow them.
  for (const text of ["COMMIT", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"]) {
    await run(text, { readOnly: true });
  }
  await assert.rejects(run("INSERT INTO kept VALUES (1)", { readOnly: true }), failsAs("other"));
  assert.deepEqual((await run("SELECT count(*) FROM kept")).rows, [[0]]);
});

meshDatabasesTest("one statement is one statement, and COPY has nothing to read", async (test) => {
  const run = runner(test.databases);
  await run("CREATE TABLE t (n int)");
  await assert.rejects(run("SELECT 1; DROP TABLE t"), failsAs("invalid", /multiple commands/));
  await assert.rejects(run("COPY t FROM STDIN"), failsAs("invalid", /INSERT/));
  assert.deepEqual((await run("COPY t TO STDOUT")).rows, []);
  await assert.rejects(run("SELECT 1\0"), failsAs("invalid"));
  assert.deepEqual((await run("-- nothing")).rows, []);
  assert.deepEqual((await run("SELECT count(*) FROM t")).rows, [[0]]);
});

meshDatabasesTest(
  "a statement is cut off at its time, and the next one finds all as it was",
  async (test) => {
    const run = runner(test.databases);
    await run("CREATE TABLE t (n int)");
    await run("INSERT INTO t VALUES (1)");
    const endless = [
      "SELECT count(*) FROM generate_series(1, 10000000) a CROSS JOIN LATERAL (SELECT a FROM generate_series(1, 1000)) b",
      "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r WHERE n < 0",
      "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$",
    ];
    for (const text of endless) {
      const cut = assert.rejects(run(text, { timeoutMs: 700 }), failsAs("timeout"), text);
      const after = run("SELECT n FROM t");
      await cut;
      assert.deepEqual((await after).rows, [[1]]);
    }
    await run("INSERT INTO t VALUES (2)");
    assert.deepEqual((await run("SELECT count(*) FROM t")).rows, [[2]]);
  },
);

meshDatabasesTest("a statement leaves nothing in the session for the next one", async (test) => {
  const run = runner(test.databases);
  for (
    const text of [
      "SET statement_timeout = 0",
      "SET search_path = pg_catalog",
      "SET TimeZone = 'Asia/Tokyo'",
      "SET DateStyle = 'German'",
      "SET default_transaction_read_only = on",
      "PREPARE s1 AS SELECT 1",
      "LISTEN news",
      "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    ]
  ) {
    await run(text);
  }
  const { rows } = await run(
    `SELECT current_setting('TimeZone'), current_setting('DateStyle'),
       (SELECT count(*) FROM pg_prepared_statement()), (SELECT count(*) FROM pg_cursor() WHERE name = 'c'),
       timestamptz '2026-01-02 03:04:05Z'`,
  );
  assert.deepEqual(rows.flat().slice(2), [0, 0, "2026-01-02T03:04:05Z"]);
  await run("CREATE TABLE writable (n int)");
  assert.doesNotMatch(String(rows.flat()), /Tokyo|German/);
});

meshDatabasesTest(
  "tables that outgrow the mesh's share are undone, and deleting still works",
  async (test) => {
    const run = runner(test.databases);
    await run("CREATE TABLE big (n int, filler text)");
    await run("INSERT INTO big SELECT n, repeat('x', 100) FROM generate_series(1, 5000) n");
    const more = "INSERT INTO big SELECT n, repeat('x', 100) FROM generate_series(1, 40000) n";
    await assert.rejects(run(more), failsAs("full", /large/));
    assert.deepEqual((await run("SELECT count(*) FROM big")).rows, [[5000]]);
    await assert.rejects(
      run("CREATE MATERIALIZED VIEW copy AS SELECT a.* FROM big a, generate_series(1, 9)"),
      failsAs("full"),
    );
    assert.equal((await run("DELETE FROM big")).rowCount, 5000);
    await run("TRUNCATE big");
    await run("INSERT INTO big VALUES (1, 'fits')");
  },
  { diskBytes: 3_000_000 },
);

meshDatabasesTest(
  "the program's own statements are one transaction that members do not reach",
  async (test) => {
    const { databases } = test;
    await databases.batch("one", [
      { text: "CREATE TABLE kept (n int)" },
      { text: "INSERT INTO kept VALUES ($1)", params: [7] },
    ], WORK);
    const failing = [{ text: "INSERT INTO kept VALUES (8)" }, { text: "SELECT 1 / 0" }];
    await assert.rejects(databases.batch("one", failing, WORK), failsAs("invalid"));
    const results = await databases.batch(
      "one",
      [{ text: "SELECT n FROM kept" }, { text: "SELECT $1::text AS said", params: ["x"] }],
      WORK,
    );
    assert.deepEqual(results, [[{ n: 7 }], [{ said: "x" }]]);
    assert.deepEqual(await databases.batch("one", [], WORK), []);
    const run = runner(databases);
    await assert.rejects(run("SELECT * FROM kept"), failsAs("invalid", /does not exist/));
    await assert.rejects(run("SELECT * FROM program.kept"), failsAs("invalid"));
    await assert.rejects(run('SELECT * FROM "meshprog_one".kept'), failsAs("invalid"));
    const slow = [{ text: "SELECT pg_sleep(30)" }];
    await assert.rejects(databases.batch("one", slow, { timeoutMs: 400 }), failsAs("timeout"));
  },
);

meshDatabasesTest(
  "meshes whose ids differ only by case have databases of their own",
  async (test) => {
    await runner(test.databases, "Mesh1")("CREATE TABLE mine (n int)");
    await assert.rejects(runner(test.databases, "mesh1")("SELECT * FROM mine"), failsAs("invalid"));
    await assert.rejects(test.databases.batch('a"b', [{ text: "SELECT 1" }], WORK), TypeError);
  },
);

meshDatabasesTest("so many statements of one mesh may wait, and no more", async (test) => {
  const run = runner(test.databases);
  await run("SELECT 1");
  const outcomes = await Promise.allSettled(
    Array.from({ length: 120 }, () => run("SELECT pg_sleep(0.01)")),
  );
  const refused = outcomes.filter((each) => each.status === "rejected").map((each) => each.reason);
  assert.ok(refused.length > 0 && refused.length < 60, `${refused.length} were refused`);
  for (const error of refused) failsAs("unavailable", /64 statements wait/)(error);
});

meshDatabasesTest("closing ends what runs, and is the last word", async (test) => {
  const run = runner(test.databases);
  await run("SELECT 1");
  const long = assert.rejects(run("SELECT pg_sleep(60)"), failsAs("unavailable"));
  await Promise.all([test.databases.close(), test.databases.close()]);
  await long;
  await assert.rejects(run("SELECT 1"), failsAs("unavailable"));
  await assert.rejects(
    test.databases.batch("one", [{ text: "SELECT 1" }], WORK),
    failsAs("unavailable"),
  );
});
