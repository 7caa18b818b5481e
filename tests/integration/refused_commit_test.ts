/**
 * No operation answers success before its change is kept: a valid call of each in the catalog, while the stores keep nothing.
 */
import assert from "node:assert/strict";
import { ops } from "../../broker/api/catalog.ts";
import { COMMON_FAILS } from "../../broker/api/op.ts";
import { openPostgres } from "../../storage/sql/postgres.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { furnish, type FurnishedMesh } from "../support/furnished_mesh.ts";
import { forgetMeshRoles } from "../support/mesh_databases.ts";
import { changedTables, LAZY_TABLES, type MeshRows, meshRows } from "../support/mesh_rows.ts";
import { linkMeshTemplate } from "../support/mesh_template.ts";
import type { Frame } from "../support/peer.ts";
import { refuseChanges } from "../support/refusing_ports.ts";
import { RefusingStore } from "../support/refusing_store.ts";
import { driverAvailable, eachDriver, openTestStore, testDatabaseUrl } from "../support/sql.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { type ValidCall, validCall, validCalls } from "../support/valid_calls.ts";

const MANY = 1_000_000;
const limits = { requestsPerMinute: MANY, requestBurst: MANY, sqlStatementsPerMinute: MANY };

/** Runs `run` with a furnished mesh of a broker on `sql`. */
async function withMesh(
  sql: Sql,
  run: (broker: TestBroker, mesh: FurnishedMesh) => Promise<void>,
): Promise<void> {
  const broker = await TestBroker.start(sql, { limits, prepare: linkMeshTemplate });
  try {
    await run(broker, await furnish(broker));
  } finally {
    await forgetMeshRoles(broker.context.stores.meshDatabases, sql).finally(() => broker.close());
  }
}

/** The answer to a call: its reply or a code that the operation declares. */
async function answerTo({ op, peer, input }: ValidCall): Promise<Frame> {
  const answer = await peer.request(op.wire, input);
  const codes: readonly string[] = [...COMMON_FAILS, ...op.fails];
  const isDeclared = answer.type === "error"
    ? codes.includes(String(answer.code))
    : answer.type === op.reply && op.output.safeParse(answer).success;
  assert.ok(isDeclared, `${op.wire}: ${JSON.stringify(answer)}`);
  return answer;
}

/** Requires that an operation that changes something was told to come again. */
function requireUnavailable({ op }: ValidCall, answer: Frame): void {
  assert.equal(answer.code, "unavailable", `${op.wire}: ${JSON.stringify(answer)}`);
}

/** What calls that keep nothing answer, where that does not change by itself. */
async function stableReads(calls: readonly ValidCall[]): Promise<ReadonlyMap<ValidCall, string>> {
  const reads = calls.filter(({ op }) => op.audit === null);
  // The first round sets what later ones show.
  const [, first, second] = [await texts(reads), await texts(reads), await texts(reads)];
  return new Map([...second].filter(([call, text]) => first.get(call) === text));
}

async function texts(calls: Iterable<ValidCall>): Promise<Map<ValidCall, string>> {
  const found = new Map<ValidCall, string>();
  for (const call of calls) {
    const { _reqId, ...answer } = await answerTo(call);
    found.set(call, JSON.stringify(answer));
  }
  return found;
}

function rowsOf(broker: TestBroker, { meshId }: FurnishedMesh): Promise<MeshRows> {
  return meshRows(broker.sql, meshId, LAZY_TABLES);
}

/** Events of an audit log that are not in an earlier one. */
function eventsSince(before: MeshRows, after: MeshRows): string[] {
  const known = new Set(before.get("audit_log"));
  const rows = (after.get("audit_log") ?? []).filter((row) => !known.has(row));
  return rows.map((row) => JSON.parse(row).event_type);
}

/**
 * Makes the calls while nothing is kept: those that are audited change something.
 * @returns the wire names of all that were refused.
 */
async function refusedCalls(
  calls: readonly ValidCall[],
  { bob }: FurnishedMesh,
): Promise<ReadonlySet<string>> {
  const refused = new Set<string>();
  bob.frames.length = 0;
  for (const call of calls.filter(({ op }) => op.audit !== null)) {
    requireUnavailable(call, await answerTo(call));
    refused.add(call.op.wire);
  }
  await bob.settled();
  const told = bob.frames.filter(({ event }) => event !== "peer_joined");
  assert.deepEqual(told, [], "nobody hears of a change that was not kept");
  for (const call of calls.filter(({ op }) => op.audit === null)) {
    if ((await answerTo(call)).code === "unavailable") refused.add(call.op.wire);
  }
  return refused;
}

/** Makes all calls, which succeed now: only those that were refused change what is kept, and each says so in the audit log. */
async function requireValid(
  broker: TestBroker,
  mesh: FurnishedMesh,
  refused: ReadonlySet<string>,
): Promise<void> {
  for (const op of ops) {
    const call = await validCall(op, mesh);
    const earlier = await rowsOf(broker, mesh);
    const answer = await answerTo(call);
    assert.equal(answer.type, op.reply, `${op.wire} is no valid call: ${JSON.stringify(answer)}`);
    const later = await rowsOf(broker, mesh);
    const changed = changedTables(earlier, later);
    assert.ok(changed.length === 0 || refused.has(op.wire), `${op.wire} changes ${changed}`);
    const events = eventsSince(earlier, later);
    assert.deepEqual(events, op.audit === null ? [] : [op.audit], op.wire);
  }
}

eachDriver("no operation answers success while the store refuses its commit", async (open) => {
  const store = new RefusingStore(await open());
  await withMesh(store.sql, async (broker, mesh) => {
    const calls = await validCalls(mesh);
    const reads = await stableReads(calls);
    const before = await rowsOf(broker, mesh);
    const refused = await store.refusing(() => refusedCalls(calls, mesh));
    assert.deepEqual(changedTables(before, await rowsOf(broker, mesh)), []);
    const now = await texts(reads.keys());
    for (const [call, text] of reads) assert.equal(now.get(call), text, call.op.wire);
    await requireValid(broker, mesh, refused);
  });
});

eachDriver(
  "no operation answers success when files, tables, graph or texts refuse",
  async (open) => {
    await withMesh(await open(), async (broker, mesh) => {
      const counts = refuseChanges(broker.context.stores);
      const sum = () => [...counts.values()].reduce((total, count) => total + count, 0);
      for (const op of ops) {
        const call = await validCall(op, mesh);
        const earlier = sum();
        const answer = await answerTo(call);
        if (sum() > earlier) requireUnavailable(call, answer);
      }
      const never = [...counts].filter(([, count]) => count === 0).map(([change]) => change);
      assert.deepEqual(never, [], "every kind of change was tried");
    });
  },
);

Deno.test({
  name: "no operation that changes something answers success while PostgreSQL is gone",
  ignore: !driverAvailable("postgres"),
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const direct = await openTestStore("postgres");
    const [row] = await direct.query<{ name: string }>("select current_database() as name");
    const url = new URL(testDatabaseUrl(row!.name));
    const proxy = new TcpProxy(url.hostname, Number(url.port || 5432));
    await proxy.start();
    [url.hostname, url.port] = ["127.0.0.1", String(proxy.port)];
    const sql = await openPostgres({ databaseUrl: url.href });
    try {
      await withMesh(sql, async (_, mesh) => {
        const before = await meshRows(direct, mesh.meshId, LAZY_TABLES);
        const calls = await validCalls(mesh);
        await proxy.stop();
        for (const call of calls.filter(({ op }) => op.audit !== null)) {
          requireUnavailable(call, await answerTo(call));
        }
        await proxy.start();
        const after = await meshRows(direct, mesh.meshId, LAZY_TABLES);
        assert.deepEqual(changedTables(before, after), []);
      });
    } finally {
      await sql.close();
      await proxy.stop();
      await direct.close();
    }
  },
});
