/** A mesh's own graph, as its members use it. */
import assert from "node:assert/strict";
import { brokerTest } from "../support/broker.ts";
import type { Frame } from "../support/peer.ts";

brokerTest("what one member records, another finds; a foreign mesh does not", async (broker) => {
  const [ada, bob] = await broker.mesh("Ada", "Bob");
  const [eve] = await broker.mesh("Eve");
  const a = await broker.join(ada!);
  const made = await a.request("graph_execute", {
    cypher: "CREATE (s:Service {name: $name})-[:USES]->(:Store {name: 'pg'}) RETURN s.name AS name",
    params: { name: "api" },
  });
  assert.deepEqual([made.type, made.records], ["graph_result", [{ name: "api" }]]);
  const b = await broker.join(bob!);
  const found = await b.request("graph_query", {
    cypher: "MATCH (s)-[u:USES]->(t) RETURN labels(s), type(u) AS how, t",
  });
  assert.deepEqual(found.columns, ["labels(s)", "how", "t"]);
  const [record] = found.records as Frame[];
  assert.deepEqual([record!["labels(s)"], record!.how], [["Service"], "USES"]);
  assert.deepEqual((record!.t as Frame).properties, { name: "pg" });
  const foreign = await (await broker.join(eve!)).request("graph_query", {
    cypher: "MATCH (n) RETURN n",
  });
  assert.deepEqual(foreign.records, []);
  const [entry] = (await a.request("audit_query", { eventType: "graph_executed" }))
    .entries as Frame[];
  assert.deepEqual(Object.keys(entry!.payload as Frame), ["chars"]);
});

brokerTest(
  "a query that writes, a wrong one and one that takes too long are refused in words",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    const writes = await a.request("graph_query", { cypher: "CREATE (:T)" });
    assert.deepEqual([writes.code, writes.field], ["invalid_argument", "cypher"]);
    assert.match(String(writes.message), /graph_execute may do that/);
    assert.equal((await a.request("graph_query", { cypher: "MATCH (n" })).code, "invalid_argument");
    const thousand = ["a", "b", "c", "d"].map((name) => `UNWIND range(1, 1000) AS ${name}`);
    const endless = `${thousand.join(" ")} RETURN count(*)`;
    const cut = await a.request("graph_query", { cypher: endless });
    assert.deepEqual([cut.code, cut.limit], ["limit", 1_500]);
    const next = await a.request("graph_query", { cypher: "RETURN 1 AS one" });
    assert.deepEqual(next.records, [{ one: 1 }]);
  },
  { limits: { sqlTimeoutMs: 1_500 } },
);

brokerTest(
  "a long result is cut, a long statement refused, and a restart keeps the graph",
  async (broker) => {
    const [ada] = await broker.mesh("Ada");
    const a = await broker.join(ada!);
    await a.request("graph_execute", { cypher: "UNWIND range(1, 1001) AS n CREATE (:T {n: n})" });
    const { records, truncated } = await a.request("graph_query", {
      cypher: "MATCH (t:T) RETURN t.n",
    });
    assert.deepEqual([(records as unknown[]).length, truncated], [1_000, true]);
    const limit = broker.context.settings.limits.cypherChars;
    const fits = `RETURN '${"x".repeat(limit - 14)}' AS x`;
    assert.equal((await a.request("graph_query", { cypher: fits })).type, "graph_result");
    assert.equal((await a.request("graph_query", { cypher: `${fits} ` })).code, "invalid_argument");
    await broker.restart();
    const after = await (await broker.join(ada!)).request("graph_query", {
      cypher: "MATCH (t:T) RETURN count(*) AS n",
    });
    assert.deepEqual(after.records, [{ n: 1_001 }]);
  },
);
