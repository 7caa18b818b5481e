/** What only the server driver promises: it tells of a lost server, and comes back to it. */
import assert from "node:assert/strict";
import { driverAvailable, testDatabaseUrl } from "../../tests/support/sql.ts";
import { SqlError } from "./port.ts";
import { openPostgres } from "./postgres.ts";
import { TcpProxy } from "../../tests/support/tcp_proxy.ts";

function isUnavailable(error: unknown): boolean {
  return error instanceof SqlError && error.kind === "unavailable";
}

Deno.test({
  name: "a lost server is told as unavailable, and found again, listeners too",
  ignore: !driverAvailable("postgres"),
  async fn() {
    const url = new URL(testDatabaseUrl("postgres"));
    const proxy = new TcpProxy(url.hostname, Number(url.port));
    await proxy.start();
    url.hostname = "127.0.0.1";
    url.port = String(proxy.port);
    const sql = await openPostgres({ databaseUrl: url.href, maxConnections: 2 });
    const heard = Promise.withResolvers<string>();
    await sql.listen("reconnection", (payload) => heard.resolve(payload));
    const sleeping = sql.query("SELECT pg_sleep(60)");
    const cut = assert.rejects(sleeping, isUnavailable);
    await sql.query("SELECT 1");
    await proxy.stop();
    await cut;
    await assert.rejects(sql.query("SELECT 1"), isUnavailable);
    await assert.rejects(sql.batch([{ text: "SELECT 1" }, { text: "SELECT 2" }]), isUnavailable);
    await assert.rejects(sql.transaction((tx) => tx.query("SELECT 1")), isUnavailable);
    await proxy.start();
    await untilAvailable(() => sql.ping());
    await untilHeard(heard.promise, () => sql.query("NOTIFY reconnection, 'again'"));
    await sql.close();
    await proxy.stop();
  },
});

Deno.test({
  name: "a statement that takes too long is cancelled as timeout",
  ignore: !driverAvailable("postgres"),
  async fn() {
    const url = `${testDatabaseUrl("postgres")}?statement_timeout=50`;
    const sql = await openPostgres({ databaseUrl: url, maxConnections: 1 });
    await assert.rejects(
      sql.query("SELECT pg_sleep(60)"),
      (error) => error instanceof SqlError && error.kind === "timeout",
    );
    await sql.close();
  },
});

Deno.test("what is no database URL is refused without repeating it", async () => {
  for (const databaseUrl of ["", "mysql://user:secret@host/db", "postgres secret"]) {
    await assert.rejects(openPostgres({ databaseUrl }), (error) => {
      assert.ok(error instanceof SqlError && error.kind === "invalid");
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
});

Deno.test("a server that is not there is unavailable at once", async () => {
  const databaseUrl = "postgres://nobody@127.0.0.1:1/none";
  await assert.rejects(openPostgres({ databaseUrl }), isUnavailable);
});

/** Asks again after each refusal; every attempt ends by itself when it could not connect. */
async function untilAvailable(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
  }
}

/** The listener connects again in its own time, so the notification is repeated until it came. */
async function untilHeard(
  heard: Promise<string>,
  notify: () => Promise<unknown>,
): Promise<void> {
  let done = false;
  const end = heard.then(() => {
    done = true;
  });
  while (!done) {
    await notify();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await end;
}
