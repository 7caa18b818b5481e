/**
 * No operation answers success before its change is kept: a valid call of each in the catalog, while the stores keep nothing.
 */
import assert from "node:assert/strict";
import { ops } from "../../broker/api/catalog.ts";
import { openPostgres } from "../../storage/sql/postgres.ts";
import type { TestBroker } from "../support/broker.ts";
import { furnish, type FurnishedMesh, withRoomyBroker } from "../support/furnished_mesh.ts";
import { changedTables, LAZY_TABLES, type MeshRows, meshRows } from "../support/mesh_rows.ts";
import type { Frame } from "../support/peer.ts";
import { refuseChanges } from "../support/refusing_ports.ts";
import { RefusingStore } from "../support/refusing_store.ts";
import { driverAvailable, eachDriver, openTestStore, testDatabaseUrl } from "../support/sql.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import {
  answerTo,
  stableReads,
  texts,
  type ValidCall,
  validCall,
  validCalls,
} from "../support/valid_calls.ts";

/** Requires that an operation that changes something was told to come again. */
function requireUnavailable({ op }: ValidCall, answer: Frame): void {
  assert.equal(answer.code, "unavailable", `${op.wire}: ${JSON.stringify(answer)}`);
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
  await withRoomyBroker(store.sql, async (broker) => {
    const mesh = await furnish(broker);
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
    await withRoomyBroker(await open(), async (broker) => {
      const mesh = await furnish(broker);
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
      await withRoomyBroker(sql, async (broker) => {
        const mesh = await furnish(broker);
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
