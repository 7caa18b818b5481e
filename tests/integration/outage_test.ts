/** A store that goes away, fills up or is somebody else's: the broker says so, keeps running and loses nothing. */
import assert from "node:assert/strict";
import { StoreClaim, StoreTaken } from "../../broker/core/store_claim.ts";
import { type Clock, systemClock } from "../../broker/core/clock.ts";
import { openPostgres } from "../../storage/sql/postgres.ts";
import { type Sql, SqlError } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import type { Frame, TestPeer } from "../support/peer.ts";
import { driverAvailable, eachDriver, openTestStore, testDatabaseUrl } from "../support/sql.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { until } from "../support/until.ts";

const SEALED = { nonce: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", ciphertext: "c2VhbGVk" };
const postgres = {
  ignore: !driverAvailable("postgres"),
  sanitizeOps: false,
  sanitizeResources: false,
};

/** The system's clock, a hundred times as fast for timers. */
const hasty: Clock = { now: systemClock.now, after: (ms, run) => systemClock.after(ms / 100, run) };

async function send(peer: TestPeer, id: string): Promise<Frame> {
  const input = { targetSpec: "Bob", priority: "now", client_message_id: id, ...SEALED };
  return await peer.request("send", input);
}

/** A database of its own, reached directly and over a proxy. */
async function proxiedStore() {
  const direct = await openTestStore("postgres");
  const [row] = await direct.query<{ name: string }>("select current_database() as name");
  const url = new URL(testDatabaseUrl(row!.name));
  const proxy = new TcpProxy(url.hostname, Number(url.port || 5432));
  await proxy.start();
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  const sql = await openPostgres({ databaseUrl: url.href });
  async function close(): Promise<void> {
    await sql.close();
    await proxy.stop();
    await direct.close();
  }
  return { direct, sql, proxy, close };
}

Deno.test({
  name: "while PostgreSQL is stopped operations answer unavailable, and go on when it is back",
  ...postgres,
  async fn() {
    const { sql, proxy, close } = await proxiedStore();
    const broker = await TestBroker.start(sql);
    try {
      const [ada, bob] = await broker.mesh("Ada", "Bob");
      const [unused] = await broker.mesh("Cyd");
      const [sender, recipient] = [await broker.join(ada!), await broker.join(bob!)];
      assert.equal((await send(sender, "m1")).type, "ack");
      await recipient.nextMessage();
      await proxy.stop();
      const refused = await send(sender, "m2");
      assert.equal(refused.code, "unavailable");
      assert.ok(Number(refused.retry_after_ms) > 0);
      assert.equal((await sender.request("join_group", { name: "eng" })).code, "unavailable");
      assert.equal((await sender.request("mesh_info")).code, "unavailable");
      assert.equal((await sender.request("list_members")).type, "members_list");
      // A mesh that is not in memory cannot be looked up: its members are told to come back.
      const stranger = await broker.socket();
      await assert.rejects(stranger.hello(unused!), /"code":"unavailable"/);
      await proxy.start();
      const again = await until("the store is back", 20_000, async () => {
        const answer = await send(sender, "m2");
        return answer.type === "ack" ? answer : null;
      });
      assert.equal((await recipient.nextMessage()).messageId, again.messageId);
      assert.equal((await send(sender, "m2")).messageId, again.messageId);
      assert.deepEqual((await sender.request("mesh_info")).yourGroups, []);
      await broker.join(unused!);
    } finally {
      await broker.close();
      await close();
    }
  },
});

Deno.test({
  name: "one database has one broker",
  ...postgres,
  async fn() {
    const sql = await openTestStore("postgres");
    const broker = await TestBroker.start(sql);
    try {
      await assert.rejects(TestBroker.start(sql, { clock: hasty }), StoreTaken);
      await broker.restart();
    } finally {
      await broker.close();
      await sql.close();
    }
  },
});

Deno.test({
  name: "a broker whose database was taken meanwhile is told, one that gets it back is not",
  ...postgres,
  async fn() {
    const { direct, sql, proxy, close } = await proxiedStore();
    try {
      const lost = Promise.withResolvers<void>();
      const claim = await StoreClaim.take(sql, { clock: hasty, onLost: lost.resolve });
      await proxy.stop();
      await proxy.start();
      const rival = await until("the database is free", 10_000, async () => {
        await proxy.stop();
        return await StoreClaim.take(direct, { clock: hasty, onLost: () => {} }).catch(() => null);
      });
      await proxy.start();
      await lost.promise;
      await rival.release();
      await claim.release();
    } finally {
      await close();
    }
  },
});

eachDriver("a full disk is told as storage_full, and nothing is half done", async (open) => {
  const sql = await open();
  let isFull = false;
  const refuse = () => Promise.reject(new SqlError("full", "no space left on device", "53100"));
  const filling = new Proxy(sql, {
    get(target, name) {
      if (isFull && ["batch", "batchInLine", "transaction"].includes(String(name))) return refuse;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as Sql;
  const broker = await TestBroker.start(filling);
  try {
    const [ada, bob] = await broker.mesh("Ada", "Bob");
    const [sender, recipient] = [await broker.join(ada!), await broker.join(bob!)];
    isFull = true;
    assert.equal((await send(sender, "m1")).code, "storage_full");
    assert.equal((await sender.request("ban", { target: "Bob" })).code, "storage_full");
    assert.equal(
      (await sender.request("set_display_name", { displayName: "X" })).code,
      "storage_full",
    );
    isFull = false;
    const { members } = await sender.request("list_members") as { members: Frame[] };
    assert.deepEqual(members.map((member) => member.displayName), ["Ada", "Bob"]);
    const ack = await send(sender, "m1");
    assert.equal((await recipient.nextMessage()).messageId, ack.messageId);
    const rows = await sql.query("select id from mesh.message_queue");
    assert.deepEqual(rows, [{ id: ack.messageId }]);
  } finally {
    isFull = false;
    await broker.close();
  }
});
