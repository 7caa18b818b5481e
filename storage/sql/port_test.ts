/** The conformance suite: what every driver of the `Sql` port does, and does alike. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eachDriver } from "../../tests/support/sql.ts";
import { type Sql, SqlError } from "./port.ts";

async function failureOf(promise: Promise<unknown>): Promise<SqlError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof SqlError, `not a SqlError: ${error}`);
    return error;
  }
  return assert.fail("nothing was thrown");
}

/** A table of its own for a case; dropped when the case ends. */
async function withTable(
  sql: Sql,
  columns: string,
  run: (table: string) => Promise<void>,
): Promise<void> {
  const table = `conformance_${crypto.randomUUID().replaceAll("-", "")}`;
  await sql.query(`CREATE TABLE ${table} (${columns})`);
  try {
    await run(table);
  } finally {
    await sql.query(`DROP TABLE ${table}`);
  }
}

const ROUND_TRIPS: readonly (readonly [type: string, value: unknown])[] = [
  ["int4", -2147483648],
  ["int8", Number.MAX_SAFE_INTEGER],
  ["int8", Number.MIN_SAFE_INTEGER],
  ["float8", 0.1],
  ["float8", Number.POSITIVE_INFINITY],
  ["text", 'quote " backslash \\ brace {} comma , NULL é 🧵\n'],
  ["text", ""],
  ["bool", true],
  ["bool", false],
  ["jsonb", { nested: [1, "two", null, { three: false }] }],
  ["timestamptz", new Date("2026-02-03T04:05:06.789Z")],
  ["timestamptz", new Date("1969-12-31T23:59:59.999Z")],
  ["timestamp", new Date("2026-02-03T04:05:06.000Z")],
  ["bytea", new Uint8Array([0, 1, 127, 128, 255])],
  ["bytea", new Uint8Array()],
  ["text[]", ["", "NULL", "null", 'a "b" \\c', "{}", ",", null, "x y", "🧵"]],
  ["text[]", []],
  ["int4[]", [1, null, -3]],
  ["int8[]", [Number.MAX_SAFE_INTEGER, 0]],
  ["float8[]", [1.5, -0.25, 1e300]],
  ["bool[]", [true, false, null]],
  ["timestamptz[]", [new Date("2026-02-03T04:05:06.789Z"), null]],
  ["bytea[]", [new Uint8Array([92, 34]), new Uint8Array()]],
  ["jsonb[]", [{ a: "\\" }, { b: [1] }]],
  ["int4[]", [[1, 2], [3, 4]]],
  ["uuid", "6f1c0d3e-2b1a-4c5d-8e9f-0a1b2c3d4e5f"],
  ["numeric", "12345678901234567890.5"],
  ["date", "2026-02-03"],
  ["text", null],
];

eachDriver("a value comes back as it was given", async (open) => {
  const sql = await open();
  for (const [type, value] of ROUND_TRIPS) {
    const rows = await sql.query(`SELECT $1::${type} AS value`, [value]);
    assert.deepEqual(rows, [{ value }], type);
  }
});

eachDriver("any text array survives the round trip", async (open) => {
  const sql = await open();
  const text = fc.string({ unit: "binary" }).map((value) => value.replaceAll("\0", ""));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text)), async (items) => {
      const rows = await sql.query("SELECT $1::text[] AS items", [items]);
      assert.deepEqual(rows, [{ items }]);
    }),
    { numRuns: 50 },
  );
});

eachDriver("any JSON document survives as text given by the caller", async (open) => {
  const sql = await open();
  const json = fc.jsonValue({ noUnicodeString: false }).filter((value) => {
    const text = JSON.stringify(value);
    return !text.includes("\\u0000") && !/(^|[[:,])-0/.test(text);
  });
  await fc.assert(
    fc.asyncProperty(json, async (value) => {
      const rows = await sql.query("SELECT $1::json AS value", [JSON.stringify(value)]);
      assert.deepEqual(rows, [{ value: JSON.parse(JSON.stringify(value)) }]);
    }),
    { numRuns: 50 },
  );
});

eachDriver("JSON text is not encoded a second time", async (open) => {
  const sql = await open();
  const rows = await sql.query(
    "SELECT jsonb_typeof($1::jsonb) AS a, jsonb_typeof($2::jsonb) AS b, jsonb_typeof($3::jsonb) AS c",
    [JSON.stringify([1]), JSON.stringify("text"), { key: 1 }],
  );
  assert.deepEqual(rows, [{ a: "array", b: "string", c: "object" }]);
});

eachDriver("a result beyond 2^53 fails, and the next statement runs", async (open) => {
  const sql = await open();
  const error = await failureOf(sql.query("SELECT 9007199254740992::int8"));
  assert.equal(error.kind, "invalid");
  assert.deepEqual(await sql.query("SELECT 1 AS one"), [{ one: 1 }]);
});

eachDriver("undefined and what has no SQL form are refused before anything runs", async (open) => {
  const sql = await open();
  for (const value of [undefined, () => 1, Symbol("s"), new Date(Number.NaN)]) {
    const error = await failureOf(sql.query("SELECT $1::text", [value]));
    assert.equal(error.kind, "invalid");
    assert.match(error.message, /^parameter \$1: /);
  }
});

eachDriver("NUL characters are refused, in text and in parameters", async (open) => {
  const sql = await open();
  assert.equal((await failureOf(sql.query("SELECT '\0'"))).kind, "invalid");
  assert.equal((await failureOf(sql.query("SELECT $1::text", ["a\0b"]))).kind, "invalid");
  assert.deepEqual(await sql.query("SELECT 1 AS one"), [{ one: 1 }]);
});

eachDriver("one call takes one statement", async (open) => {
  const sql = await open();
  const error = await failureOf(sql.query("SELECT 1; SELECT 2"));
  assert.equal(error.sqlState, "42601");
});

eachDriver("thousands of rows go in by one unnest", async (open) => {
  const sql = await open();
  const count = 5_000;
  const ids = Array.from({ length: count }, (_, index) => index);
  await withTable(sql, "id int8 PRIMARY KEY, body text NOT NULL", async (table) => {
    await sql.query(
      `INSERT INTO ${table} SELECT * FROM unnest($1::int8[], $2::text[])`,
      [ids, ids.map((id) => `body "${id}" ${"x".repeat(600)}`)],
    );
    const rows = await sql.query(
      `SELECT count(*) AS count, sum(id)::int8 AS total, max(length(body)) AS longest FROM ${table}`,
    );
    assert.deepEqual(rows, [{ count, total: (count * (count - 1)) / 2, longest: 612 }]);
  });
});

eachDriver("failures say what they mean, and never show a value", async (open) => {
  const sql = await open();
  const columns = "id int4 CONSTRAINT conformance_key PRIMARY KEY, size int4 CHECK (size < 9)";
  await withTable(sql, columns, async (table) => {
    await sql.query(`INSERT INTO ${table} VALUES (1, 1)`);
    const insert = `INSERT INTO ${table} VALUES ($1::int4, $2::int4)`;
    const duplicate = await failureOf(sql.query(insert, [1, 1]));
    assert.deepEqual(
      [duplicate.kind, duplicate.sqlState, duplicate.constraint],
      ["conflict", "23505", "conformance_key"],
    );
    assert.equal((await failureOf(sql.query(insert, [2, 9]))).kind, "conflict");
    const unreadable = await failureOf(sql.query(insert, ['se"cret', 1]));
    assert.deepEqual([unreadable.kind, unreadable.sqlState], ["invalid", "22P02"]);
    for (const error of [duplicate, unreadable]) {
      assert.doesNotMatch(Deno.inspect(error, { showHidden: true }), /se.*cret|\(1\)/);
    }
  });
  assert.equal((await failureOf(sql.query("SELECT * FROM no_such_table"))).kind, "invalid");
});

eachDriver("a batch answers for each statement, in order", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4", async (table) => {
    const results = await sql.batch([
      { text: `INSERT INTO ${table} VALUES ($1) RETURNING id`, params: [1] },
      { text: `INSERT INTO ${table} VALUES ($1) RETURNING id`, params: [2] },
      { text: `DELETE FROM ${table} WHERE id = 7` },
      { text: `SELECT sum(id)::int4 AS sum FROM ${table}` },
    ]);
    assert.deepEqual(results, [[{ id: 1 }], [{ id: 2 }], [], [{ sum: 3 }]]);
    assert.deepEqual(await sql.batch([]), []);
  });
});

eachDriver("a batch that fails keeps nothing, and the store goes on", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4 PRIMARY KEY", async (table) => {
    const error = await failureOf(sql.batch([
      { text: `INSERT INTO ${table} VALUES (1)` },
      { text: `INSERT INTO ${table} VALUES (2)` },
      { text: `INSERT INTO ${table} VALUES (1)` },
      { text: `INSERT INTO ${table} VALUES (3)` },
    ]));
    assert.equal(error.sqlState, "23505");
    assert.deepEqual(await sql.query(`SELECT id FROM ${table}`), []);
  });
});

eachDriver("batches in line run in order, and behind one that fails none does", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4 PRIMARY KEY, sum int8", async (table) => {
    const insert = (id: number) => [{
      text: `INSERT INTO ${table} SELECT $1, coalesce(sum(id), 0) FROM ${table}`,
      params: [id],
    }];
    await Promise.all([1, 2, 3].map((id) => sql.batchInLine(insert(id), id > 1)));
    const failed = [2, 4, 5].map((id) => failureOf(sql.batchInLine(insert(id), id !== 2)));
    const kinds = (await Promise.all(failed)).map(({ kind }) => kind);
    assert.deepEqual(kinds, ["conflict", "skipped", "skipped"]);
    await sql.batchInLine(insert(6), false);
    const rows = await sql.query(`SELECT id, sum FROM ${table} ORDER BY id`);
    assert.deepEqual(rows, [[1, 0], [2, 1], [3, 3], [6, 6]].map(([id, sum]) => ({ id, sum })));
  });
});

eachDriver("a check deferred to the commit fails the batch", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4 UNIQUE DEFERRABLE INITIALLY DEFERRED", async (table) => {
    const insert = { text: `INSERT INTO ${table} VALUES (1)` };
    assert.equal((await failureOf(sql.batch([insert, insert]))).sqlState, "23505");
    assert.deepEqual(await sql.query(`SELECT id FROM ${table}`), []);
  });
});

eachDriver("a transaction commits what it did, and returns its value", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4", async (table) => {
    const value = await sql.transaction(async (tx) => {
      await tx.script(`INSERT INTO ${table} VALUES (1); INSERT INTO ${table} VALUES (2);`);
      const [row] = await tx.query<{ count: number }>(`SELECT count(*) AS count FROM ${table}`);
      return row?.count;
    });
    assert.equal(value, 2);
    assert.equal((await sql.query(`SELECT id FROM ${table}`)).length, 2);
  });
});

eachDriver("a transaction whose function throws is rolled back with that error", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4", async (table) => {
    const own = new Error("changed my mind");
    const thrown = await sql.transaction(async (tx) => {
      await tx.query(`INSERT INTO ${table} VALUES (1)`);
      throw own;
    }).catch((error: unknown) => error);
    assert.equal(thrown, own);
    assert.deepEqual(await sql.query(`SELECT id FROM ${table}`), []);
  });
});

eachDriver("a failure that the function swallowed still fails the transaction", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4 PRIMARY KEY", async (table) => {
    const error = await failureOf(sql.transaction(async (tx) => {
      await tx.query(`INSERT INTO ${table} VALUES (1)`);
      await tx.query(`INSERT INTO ${table} VALUES (1)`).catch(() => []);
    }));
    assert.equal(error.sqlState, "23505");
    assert.deepEqual(await sql.query(`SELECT id FROM ${table}`), []);
  });
});

eachDriver("transactions and statements at once do not mix", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4", async (table) => {
    const insert = `INSERT INTO ${table} VALUES ($1)`;
    const outcomes = await Promise.allSettled([
      sql.transaction(async (tx) => {
        await tx.query(insert, [1]);
        await tx.query(insert, [2]);
        throw new Error("rolled back");
      }),
      sql.query(insert, [3]),
      sql.transaction((tx) => tx.query(insert, [4])),
      sql.batch([{ text: insert, params: [5] }, { text: insert, params: [6] }]),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ["rejected", "fulfilled", "fulfilled", "fulfilled"],
    );
    const rows = await sql.query(`SELECT id FROM ${table} ORDER BY id`);
    assert.deepEqual(rows, [{ id: 3 }, { id: 4 }, { id: 5 }, { id: 6 }]);
  });
});

eachDriver("a statement prepared before its table changed sees the change", async (open) => {
  const sql = await open();
  await withTable(sql, "id int4", async (table) => {
    await sql.query(`INSERT INTO ${table} VALUES (1)`);
    const select = `SELECT * FROM ${table}`;
    assert.deepEqual(await sql.query(select), [{ id: 1 }]);
    await sql.query(`ALTER TABLE ${table} ADD COLUMN name text DEFAULT 'new'`);
    assert.deepEqual(await sql.query(select), [{ id: 1, name: "new" }]);
  });
});

eachDriver("more statements than are kept prepared all run", async (open) => {
  const sql = await open();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) => sql.query(`SELECT ${index} AS value`)),
  );
  assert.deepEqual(answers.at(-1), [{ value: 299 }]);
  assert.deepEqual(await sql.query("SELECT 0 AS value"), [{ value: 0 }]);
});

eachDriver("a listener hears committed notifications, until it stops", async (open) => {
  const sql = await open();
  const heard: string[] = [];
  const { promise: last, resolve: onLast } = Promise.withResolvers<void>();
  const stop = await sql.listen("Conformance Channel", (payload) => heard.push(payload));
  const stopSecond = await sql.listen("Conformance Channel", (payload) => {
    if (payload === "last") onLast();
  });
  const notify = "SELECT pg_notify('Conformance Channel', $1)";
  await sql.query(notify, ["first"]);
  await sql.transaction(async (tx) => {
    await tx.query(notify, ["rolled back"]);
    throw new Error("no");
  }).catch(() => {});
  await sql.query(notify, ["second"]);
  const { promise: second, resolve: onSecond } = Promise.withResolvers<void>();
  const stopThird = await sql.listen("Conformance Channel", (payload) => {
    if (payload === "third") onSecond();
  });
  await sql.query(notify, ["third"]);
  await second;
  await stop();
  await sql.query(notify, ["last"]);
  await last;
  assert.deepEqual(heard, ["first", "second", "third"]);
  await stopSecond();
  await stopThird();
});

eachDriver("ping answers, and durability is told", async (open) => {
  const sql = await open();
  await sql.ping();
  assert.notEqual(sql.durability, "");
});

eachDriver("pgvector can be had where it is installed", async (open, driver) => {
  const sql = await open();
  if (driver === "postgres") {
    const [row] = await sql.query("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'");
    if (row === undefined) return;
  }
  await sql.query("CREATE EXTENSION IF NOT EXISTS vector");
  const rows = await sql.query("SELECT '[1,2]'::vector <-> '[1,4]'::vector AS distance");
  assert.deepEqual(rows, [{ distance: 2 }]);
});
