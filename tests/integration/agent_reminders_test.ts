/** Reminders as agents and models meet them: set by the tool, shown for what they are, kept for who is away. */
import assert from "node:assert/strict";
import { checkMessages } from "../../mcp/tools/check_messages.ts";
import { scheduleReminder } from "../../mcp/tools/schedule_reminder.ts";
import type { ToolContext } from "../../mcp/tools/tool.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { gatherLocally, type LocalAgent, type TestClient } from "../support/local_agent.ts";
import { openTestStore, truncateAll } from "../support/sql.ts";

let store: Sql;
Deno.test.beforeAll(async () => {
  store = await openTestStore("pglite");
});
Deno.test.afterAll(async () => {
  await store.close();
});

async function withTeam(
  names: readonly string[],
  run: (agents: LocalAgent[], broker: TestBroker) => Promise<void>,
): Promise<void> {
  await truncateAll(store);
  const broker = await TestBroker.start(store);
  let agents: LocalAgent[] = [];
  try {
    agents = await gatherLocally(broker.broker.url, names);
    await run(agents, broker);
  } finally {
    for (const agent of agents) await agent.close();
    await broker.close();
  }
}

/** A session of an agent, as the MCP server attaches it, and what its tools work with. */
async function attach(agent: LocalAgent, sessionId: string) {
  const client = await agent.connect();
  await client.call("session.attach", { sessionId, pid: 100, cwd: "/tmp" });
  const context: ToolContext = { sessionId, call: client.client.call.bind(client.client) };
  return { client, context };
}

function reminderIn(client: TestClient) {
  return client.event(
    "a reminder",
    (event) => event.kind === "message" && event.message.type === "reminder" ? event.message : null,
  );
}

Deno.test("a session's reminder to itself comes back to that session, marked as one", async () => {
  await withTeam(["Ada"], async ([ada]) => {
    const one = await attach(ada!, "one");
    const two = await attach(ada!, "two");
    const set = await scheduleReminder.call(one.context, { message: "stretch", in_seconds: 0 });
    assert.match(set.text, /^Reminder \w{32} for Ada fires at 2\d{3}-/);
    const message = await reminderIn(one.client);
    assert.deepEqual(
      [message.text, message.verification, message.fromName],
      ["stretch", "none", "Ada"],
    );
    const other = await checkMessages.call(two.context, {});
    assert.equal(other.data.count, 0);
    const { text, data } = await checkMessages.call(one.context, {});
    assert.match(text, /from="reminder set by Ada"[^>]*not end-to-end encrypted/);
    const [shown] = data.messages as Record<string, unknown>[];
    assert.deepEqual(
      [shown!.from, shown!.type, shown!.verified, shown!.text],
      ["reminder set by Ada", "reminder", "none", "stretch"],
    );
    assert.match(String(shown!.note), /not end-to-end encrypted/);
  });
});

Deno.test("a reminder to a peer, named by a part of its key, waits while its agent is away", async () => {
  await withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const { pubkey } = (await (await bob!.connect()).call("agent.info", {})).meshes[0]!;
    await bob!.stop();
    const { context } = await attach(ada!, "one");
    const to = pubkey.slice(0, 10);
    const set = await scheduleReminder.call(context, { message: "review", in_seconds: 0, to });
    assert.equal(set.isError, undefined, set.text);
    assert.equal(set.data.toName, "Bob");
    await bob!.start();
    const client = await bob!.connect();
    await client.call("messages.watch", {});
    const waiting = await client.call("messages.take", { reader: "test", waitMs: 15_000 });
    assert.deepEqual(waiting.messages.map(({ text, type }) => [text, type]), [
      ["review", "reminder"],
    ]);
  });
});

Deno.test("the tool wants one time, gives cron this machine's zone, and passes refusals on", async () => {
  await withTeam(["Ada"], async ([ada]) => {
    const { context } = await attach(ada!, "one");
    for (const times of [{}, { in_seconds: 5, cron: "* * * * *" }]) {
      const set = Promise.resolve(scheduleReminder.call(context, { message: "x", ...times }));
      await assert.rejects(set, /exactly one of/);
    }
    const cron = await scheduleReminder.call(context, { message: "x", cron: "0 9 * * 1" });
    assert.equal(cron.data.timeZone, Intl.DateTimeFormat().resolvedOptions().timeZone);
    assert.match(cron.text, /then by "0 9 \* \* 1"/);
    const zone = { message: "x", cron: "0 9 * * 1", time_zone: "Asia/Tokyo" };
    assert.equal((await scheduleReminder.call(context, zone)).data.timeZone, "Asia/Tokyo");
    const wrong = await scheduleReminder.call(context, { message: "x", cron: "0 99 * * *" });
    assert.equal(wrong.isError, true);
    assert.match(wrong.text, /hour 99 is not within 0-23.*\(invalid_cron\)/);
    const nobody = scheduleReminder.call(context, { message: "x", in_seconds: 5, to: "Zoe" });
    await assert.rejects(Promise.resolve(nobody), /Zoe/);
  });
});

Deno.test("missed runs and ticks reach the agent's clients as system events", async () => {
  await withTeam(["Ada"], async ([ada], broker) => {
    const client = await ada!.connect();
    await client.call("messages.watch", {});
    const call = async (wire: string, input: Record<string, unknown>) => {
      const { results } = await client.call("call", { wire, input });
      assert.ok(results[0]!.ok, JSON.stringify(results));
    };
    await call("set_clock", { speed: 100 });
    const named = (name: string) =>
      client.event(name, (event) => event.kind === "system" && event.event === name ? event : null);
    assert.equal((await named("tick")).data.speed, 100);
    await call("schedule", { message: "late", inSeconds: 3_600, misfire: "skip" });
    await broker.sql.query(
      "update mesh.scheduled_message set next_run_at = next_run_at - interval '1 day'",
    );
    broker.context.planChanged.wake();
    const { data } = await named("reminder_missed");
    assert.deepEqual([data.message, data.missed, data.ran], ["late", 1, 0]);
  });
});
