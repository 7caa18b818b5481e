/** What every graph driver does alike; Neo4j's half runs where NEO4J_URL names a server (with NEO4J_USER, NEO4J_PASSWORD). */
import assert from "node:assert/strict";
import { randomCode } from "../../crypto/random.ts";
import { openEmbedded } from "../../tests/support/mesh_databases.ts";
import { AgeGraph } from "./age.ts";
import { Neo4jGraph } from "./neo4j.ts";
import { type Graph, GraphError, type GraphResult, type GraphStatement } from "./port.ts";

type Ask = (
  cypher: string,
  options?: Partial<GraphStatement> & { mesh?: string },
) => Promise<GraphResult>;

const NEO4J_URL = Deno.env.get("NEO4J_URL");
if (NEO4J_URL === undefined) console.log("NEO4J_URL is not set: the Neo4j driver is not tested");

let age: { graph: Graph; close(): Promise<void> } | null = null;
let neo4j: Graph | null = null;

async function opened(driver: Graph["driver"]): Promise<Graph> {
  if (driver === "neo4j") {
    neo4j ??= await Neo4jGraph.open({
      url: NEO4J_URL!,
      user: Deno.env.get("NEO4J_USER") ?? "neo4j",
      password: Deno.env.get("NEO4J_PASSWORD") ?? "",
    });
    return neo4j;
  }
  if (age === null) {
    const test = await openEmbedded();
    age = {
      graph: new AgeGraph(test.databases),
      async close() {
        await test[Symbol.asyncDispose]();
      },
    };
  }
  return age.graph;
}

Deno.test.afterAll(async () => {
  await age?.close();
  await neo4j?.close();
});

function eachGraph(name: string, run: (ask: Ask) => Promise<void>): void {
  for (const driver of ["age", "neo4j"] as const) {
    Deno.test({
      name: `${name} (${driver})`,
      ignore: driver === "neo4j" && NEO4J_URL === undefined,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const graph = await opened(driver);
        const own = `test${randomCode(12)}`;
        await run((cypher, { mesh = own, ...options } = {}) =>
          graph.run(mesh, {
            cypher,
            params: {},
            readOnly: !/^(create|merge|match .* (set|delete|detach|remove)|unwind .* create)/i.test(
              cypher,
            ),
            timeoutMs: 10_000,
            maxRows: 1_000,
            maxBytes: 1_048_576,
            ...options,
          })
        );
      },
    });
  }
}

async function refused(work: Promise<unknown>, kind: string, text: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof GraphError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, text);
    return true;
  });
}

eachGraph("nodes, relationships and paths come back as plain JSON", async (ask) => {
  await ask(
    "CREATE (:Person {name: 'Ada', born: 1815})-[:KNOWS {since: 1.5}]->(:Person {name: 'Bob'})",
  );
  const { columns, records: [record] } = await ask(
    "MATCH p = (a)-[r]->(b) RETURN a, r, p, a.name AS name, b.born",
  );
  assert.deepEqual(columns, ["a", "r", "p", "name", "b.born"]);
  const { a, r, p } = record as Record<string, Record<string, unknown>>;
  assert.equal(typeof a!.id, "string");
  assert.deepEqual([a!.labels, a!.properties], [["Person"], { name: "Ada", born: 1815 }]);
  assert.deepEqual([r!.type, r!.properties, r!.start], ["KNOWS", { since: 1.5 }, a!.id]);
  const { nodes, relationships } = p as unknown as { nodes: unknown[]; relationships: unknown[] };
  assert.deepEqual([nodes.length, nodes[0], relationships], [2, a, [r]]);
  assert.deepEqual([record!.name, record!["b.born"]], ["Ada", null]);
});

eachGraph("any RETURN works without declaring columns", async (ask) => {
  await ask("CREATE (:T {n: 1})-[:R]->(:T {n: 2})");
  const shapes: readonly [string, readonly string[], unknown][] = [
    ["MATCH (t:T) RETURN count(*)", ["count(*)"], { "count(*)": 2 }],
    ["MATCH (t:T) RETURN t.n AS `my, n`, 'a, b' ORDER BY t.n LIMIT 1", ["my, n", "'a, b'"], {
      "my, n": 1,
      "'a, b'": "a, b",
    }],
    ["RETURN {a: [1, 2.5, null, true], b: 'x'} AS map, [1, [2]] AS list;", ["map", "list"], {
      map: { a: [1, 2.5, null, true], b: "x" },
      list: [1, [2]],
    }],
    ["MATCH (t:T) WITH DISTINCT t.n AS n WHERE n > 1 RETURN *", ["n"], { n: 2 }],
    ["UNWIND [3] AS x WITH x, x + 1 AS y RETURN *, x * y", ["x", "y", "x * y"], {
      x: 3,
      y: 4,
      "x * y": 12,
    }],
    ["RETURN 1 AS n UNION RETURN 1 AS n", ["n"], { n: 1 }],
    ["RETURN 1, 1", ["1", "1 (2)"], { "1": 1, "1 (2)": 1 }],
    ["RETURN 'return 1, 2 // no' AS text /* RETURN a, b */", ["text"], {
      text: "return 1, 2 // no",
    }],
  ];
  for (const [cypher, columns, record] of shapes) {
    const result = await ask(cypher);
    assert.deepEqual([result.columns, result.records], [columns, [record]], cypher);
  }
  const all = await ask("MATCH (a:T)-[r:R]->(b) RETURN *");
  assert.deepEqual(all.columns, ["a", "b", "r"]);
});

eachGraph("whole numbers keep their digits, and values go in as parameters", async (ask) => {
  const { records: [record] } = await ask(
    "RETURN 9007199254740993 AS large, $text AS text, $list AS list",
    {
      params: { text: `it's "$tag$" \\ \n`, list: [1, "two"] },
    },
  );
  assert.deepEqual(record, {
    large: "9007199254740993",
    text: `it's "$tag$" \\ \n`,
    list: [1, "two"],
  });
});

eachGraph("a reading statement changes nothing", async (ask) => {
  await ask("CREATE (:T {n: 1})");
  const writes = [
    "CREATE (:T)",
    "MERGE (:T {n: 5})",
    "MATCH (t) SET t.n = 2",
    "MATCH (t) DETACH DELETE t",
    "MATCH (t) REMOVE t.n",
    "match (t) with t set t.x = 1 return t",
    "UNWIND [1] AS x CREATE (:T {n: x})",
  ];
  for (const cypher of writes) {
    await refused(ask(cypher, { readOnly: true }), "invalid", /graph_execute may do that/);
  }
  const { records } = await ask(
    "MATCH (t) RETURN t.n AS `set`, t.`create` AS x, {delete: 1} AS y",
  );
  assert.deepEqual(records, [{ set: 1, x: null, y: { delete: 1 } }]);
});

eachGraph(
  "a statement that writes and returns runs to its end, however few rows are shown",
  async (ask) => {
    const result = await ask("UNWIND range(1, 50) AS n CREATE (t:T {n: n}) RETURN n", {
      maxRows: 3,
    });
    assert.deepEqual([result.records.length, result.isCut], [3, true]);
    assert.deepEqual((await ask("MATCH (t:T) RETURN count(t) AS n")).records, [{ n: 50 }]);
  },
);

eachGraph("results are cut at their bounds", async (ask) => {
  const rows = await ask("UNWIND range(1, 10) AS n RETURN n", { maxRows: 9 });
  assert.deepEqual([rows.records.length, rows.isCut], [9, true]);
  const whole = await ask("UNWIND range(1, 10) AS n RETURN n", { maxRows: 10 });
  assert.deepEqual([whole.records.length, whole.isCut], [10, false]);
  const bytes = await ask("UNWIND range(1, 100) AS n RETURN range(1, 100) AS list", {
    maxBytes: 2_000,
  });
  assert.ok(bytes.isCut && bytes.records.length >= 1 && bytes.records.length < 10);
  const large = await ask("RETURN range(1, 100000) AS list", { maxBytes: 2_000 });
  assert.deepEqual([large.records, large.isCut], [[], true]);
});

eachGraph("a statement that takes too long is cut off, and the next one works", async (ask) => {
  await ask("CREATE (:T {n: 1})");
  const endless = "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN count(a + b)";
  await refused(ask(endless, { timeoutMs: 700 }), "timeout", /cut off after 700 ms/);
  assert.deepEqual((await ask("MATCH (t:T) RETURN t.n AS n")).records, [{ n: 1 }]);
});

eachGraph("meshes see nothing of each other", async (ask) => {
  await ask("CREATE (:Secret {n: 1})", { mesh: "MeshA" });
  assert.deepEqual((await ask("MATCH (n) RETURN n", { mesh: "Mesha" })).records, []);
  await ask("CREATE (:Other)", { mesh: "Mesha" });
  assert.deepEqual((await ask("MATCH (n:Secret) RETURN n", { mesh: "Mesha" })).records, []);
});

eachGraph(
  "functions, files, addresses and administration out of reach are refused",
  async (ask) => {
    const attacks = [
      "RETURN pg_catalog.pg_read_file('PG_VERSION')",
      "RETURN `pg_catalog`.`set_config`('role', 'postgres', false)",
      "CALL ag_catalog.drop_graph('x', true)",
      "CALL dbms.listConfig()",
      "LOAD CSV FROM 'file:///etc/passwd' AS line RETURN line",
      "USE neo4j MATCH (n) RETURN n",
      "MATCH (n) CALL { USE system RETURN 1 AS x } RETURN x",
      "SHOW DATABASES",
      "CREATE DATABASE other",
      "CREATE INDEX FOR (n:T) ON (n.x)",
      "DROP DATABASE neo4j",
      "RETURN 1; RETURN 2",
      "RETURN 1 $cypher$) AS (c0 agtype); DROP SCHEMA public; --",
      "",
      "RETURN 'unfinished",
      "RETURN (1",
      "MATCH (n RETURN n)",
    ];
    for (const cypher of attacks) {
      for (const readOnly of [true, false]) {
        await refused(
          ask(cypher, { readOnly }),
          "invalid",
          /./,
        );
      }
    }
  },
);

eachGraph("what is wrong with a statement is told in words", async (ask) => {
  await refused(ask("MATCH (n) RETRUN n", { readOnly: false }), "invalid", /RETRUN|syntax/i);
  await refused(ask("CREATE (n:T) RETURN m"), "invalid", /m/);
});

Deno.test({
  name: "a statement that needs too much memory is told so, and the next one runs (age)",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const graph = await opened("age");
    const bounds = { params: {}, readOnly: true, timeoutMs: 10_000, maxRows: 10, maxBytes: 1_000 };
    const mesh = `test${randomCode(12)}`;
    const heavy = graph.run(mesh, { cypher: "RETURN size(range(1, 100000000))", ...bounds });
    await refused(heavy, "heavy", /out of memory/);
    const { records } = await graph.run(mesh, { cypher: "RETURN 1 AS one", ...bounds });
    assert.deepEqual(records, [{ one: 1 }]);
  },
});
