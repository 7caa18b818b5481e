/** A mesh's own SQL over a real broker: who may, who sees what, limits, and what the audit log says. */
import assert from "node:assert/strict";
import type { Limits } from "../../broker/api/limits.ts";
import { brokerTest, type TestBroker, type TestMember } from "../support/broker.ts";
import { forgetMeshRoles } from "../support/mesh_databases.ts";
import type { Frame, TestPeer } from "../support/peer.ts";

const OPEN = { timeoutMs: 60_000 };
/** For statements that never end; the others have the usual time, also where the machine is busy. */
const SHORT = { sqlTimeoutMs: 1_500 };

/** Runs a test with members of a mesh whose database is open; the roles it leaves are removed. */
function sqlTest(
  name: string,
  run: (test: { broker: TestBroker; members: TestMember[]; peers: TestPeer[] }) => Promise<void>,
  limits: Partial<Limits> = {},
): void {
  brokerTest(name, async (broker) => {
    const { stores, sql } = broker.context;
    const members = await broker.mesh("Ada", "Bob");
    const peers = [await broker.join(members[0]!), await broker.join(members[1]!)];
    await stores.meshDatabases.batch(members[0]!.meshId, [{ text: "SELECT 1" }], OPEN);
    try {
      await run({ broker, members, peers });
    } finally {
      await forgetMeshRoles(stores.meshDatabases, sql);
    }
  }, { limits: { sqlStatementsPerMinute: 10_000, ...limits } });
}

async function execute(peer: TestPeer, sql: string): Promise<Frame> {
  return await peer.request("mesh_execute", { sql });
}

async function query(peer: TestPeer, sql: string, page: object = {}): Promise<Frame> {
  return await peer.request("mesh_query", { sql, ...page });
}

function isRefused(answer: Frame, code: string, message = /./): void {
  assert.equal(answer.type, "error", JSON.stringify(answer));
  assert.equal(answer.code, code, String(answer.message));
  assert.match(String(answer.message), message);
}

sqlTest("what one member stores, another reads, and both see the tables", async ({ peers }) => {
  const [ada, bob] = peers as [TestPeer, TestPeer];
  assert.equal((await query(bob, "SELECT 1 AS one")).type, "mesh_query_result");
  assert.deepEqual((await bob.request("mesh_schema")).tables, []);
  const made = await execute(
    ada,
    "CREATE TABLE deploys (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, service text DEFAULT 'api')",
  );
  assert.deepEqual([made.type, made.rowCount, made.rows], ["mesh_query_result", 0, []]);
  const added = await execute(ada, "INSERT INTO deploys (service) VALUES ('web'), (DEFAULT)");
  assert.equal(added.rowCount, 2);
  const read = await query(bob, "SELECT id, service, id AS service FROM deploys ORDER BY id");
  assert.deepEqual(read.columns, ["id", "service", "service_2"]);
  assert.deepEqual(read.types, ["int4", "text", "int4"]);
  assert.deepEqual(read.rows, [
    { id: 1, service: "web", service_2: 1 },
    { id: 2, service: "api", service_2: 2 },
  ]);
  assert.deepEqual([read.rowCount, read.truncated, read.nextOffset], [2, false, null]);
  assert.deepEqual((await bob.request("mesh_schema")).tables, [{
    name: "deploys",
    kind: "table",
    columns: [
      { name: "id", type: "integer", nullable: false, primaryKey: true },
      { name: "service", type: "text", nullable: true, default: "'api'::text" },
    ],
  }]);
});

sqlTest("refusals say what PostgreSQL says, and what to do", async ({ peers: [ada] }) => {
  await execute(ada!, "CREATE TABLE t (n int PRIMARY KEY)");
  await execute(ada!, "INSERT INTO t VALUES (1)");
  isRefused(await query(ada!, "INSERT INTO t VALUES (2)"), "invalid_argument", /use mesh_execute/);
  isRefused(await query(ada!, "SELECT * FROM nowhere"), "invalid_argument", /"nowhere".*42P01/);
  isRefused(await query(ada!, "SELEC 1"), "invalid_argument", /at character 1.*42601/);
  isRefused(await execute(ada!, "INSERT INTO t VALUES (1)"), "conflict", /Key \(n\)=\(1\).*23505/);
  isRefused(await execute(ada!, "CREATE ROLE mine"), "forbidden", /42501/);
  isRefused(await query(ada!, "SELECT 1; SELECT 2"), "invalid_argument", /multiple commands/);
  isRefused(await query(ada!, "SELECT pg_sleep(60)"), "limit", /cut off after 1500 ms/);
  isRefused(await query(ada!, "x".repeat(65_537)), "invalid_argument");
  assert.deepEqual((await query(ada!, "SELECT n FROM t")).rows, [{ n: 1 }]);
}, SHORT);

sqlTest("a long answer is cut, and read on from its offset", async ({ peers: [ada] }) => {
  const sql = "SELECT n FROM generate_series(1, 1005) n ORDER BY n";
  const first = await query(ada!, sql);
  assert.deepEqual([first.rowCount, first.truncated, first.nextOffset], [1_000, true, 1_000]);
  const rest = await query(ada!, sql, { offset: first.nextOffset });
  assert.deepEqual([rest.rowCount, rest.truncated, rest.nextOffset], [5, false, null]);
  const exact = await query(ada!, sql, { limit: 5, offset: 1_000 });
  assert.deepEqual([exact.rowCount, exact.truncated], [5, false]);
  const wide = await query(ada!, "SELECT repeat('ü', 100000) AS w FROM generate_series(1, 50)");
  assert.ok(wide.truncated === true && JSON.stringify(wide).length < 1_100_000);
  assert.equal(wide.nextOffset, 5);
});

sqlTest("another mesh sees nothing of it", async ({ broker, members, peers: [ada] }) => {
  await execute(ada!, "CREATE TABLE secrets (word text)");
  await execute(ada!, "INSERT INTO secrets VALUES ('canary')");
  const [eve] = await broker.mesh("Eve");
  const stranger = await broker.join(eve!);
  await broker.context.stores.meshDatabases.batch(eve!.meshId, [{ text: "SELECT 1" }], OPEN);
  assert.deepEqual((await stranger.request("mesh_schema")).tables, []);
  isRefused(await query(stranger, "SELECT * FROM secrets"), "invalid_argument");
  const qualified = await query(stranger, `SELECT * FROM "meshdb_${members[0]!.meshId}".secrets`);
  assert.equal(qualified.type, "error");
  const naming = { sql: "SELECT * FROM secrets", meshId: members[0]!.meshId, mesh: "Test" };
  isRefused(await stranger.request("mesh_query", naming), "invalid_argument");
});

sqlTest("the mesh's share of the disk is a limit", async ({ peers: [ada] }) => {
  await execute(ada!, "CREATE TABLE hoard (filler text)");
  const more = "INSERT INTO hoard SELECT repeat(md5(n::text), 3) FROM generate_series(1, 40000) n";
  const refused = await execute(ada!, more);
  isRefused(refused, "limit", /2000000 is the most; delete rows/);
  assert.equal(refused.limit, 2_000_000);
  assert.deepEqual((await query(ada!, "SELECT count(*) FROM hoard")).rows, [{ count: 0 }]);
}, { sqlDiskBytes: 2_000_000 });

sqlTest(
  "so many statements a minute, and the next is refused until there is room",
  async ({ peers: [ada] }) => {
    for (let count = 0; count < 3; count++) {
      assert.equal((await query(ada!, "SELECT 1")).type, "mesh_query_result");
    }
    const refused = await query(ada!, "SELECT 1");
    isRefused(refused, "rate_limited", /more than 6 SQL statements/);
    assert.ok(Number(refused.retry_after_ms) > 0);
  },
  { sqlStatementsPerMinute: 6 },
);

sqlTest("changes are on record, without their text", async ({ broker, members, peers: [ada] }) => {
  await execute(ada!, "CREATE TABLE secret_plans (n int)");
  await query(ada!, "SELECT * FROM secret_plans");
  const rows = await broker.sql.query<{ event_type: string; payload: Record<string, unknown> }>(
    "SELECT event_type, payload FROM mesh.audit_log WHERE mesh_id = $1 AND event_type LIKE 'sql%'",
    [members[0]!.meshId],
  );
  assert.deepEqual(rows, [{ event_type: "sql_executed", payload: { chars: 33 } }]);
});

sqlTest("tables outlive the broker", async ({ broker, members, peers: [ada] }) => {
  await execute(ada!, "CREATE TABLE kept (n int)");
  await execute(ada!, "INSERT INTO kept VALUES (42)");
  await broker.restart();
  const again = await broker.join(members[0]!);
  await broker.context.stores.meshDatabases.batch(members[0]!.meshId, [{ text: "SELECT 1" }], OPEN);
  assert.deepEqual((await query(again, "SELECT n FROM kept")).rows, [{ n: 42 }]);
});

sqlTest("an endless statement keeps no message waiting", async ({ broker, members, peers }) => {
  const [ada, bob] = peers as [TestPeer, TestPeer];
  const tenant = await broker.join(members[0]!, { sessionId: "tenant" });
  const endless = query(
    tenant,
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
  );
  for (let count = 0; count < 5; count++) {
    await ada.request("set_summary", { summary: `still here ${count}` });
    assert.equal((await bob.request("list_peers")).type, "peers_list");
  }
  isRefused(await endless, "limit");
}, SHORT);
