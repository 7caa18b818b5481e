/**
 * Streams and tasks as a model meets them: a real MCP client, channel events, and an agent that is replaced meanwhile.
 */
import assert from "node:assert/strict";
import { stopAgent } from "../../agent/core/agent_launch.ts";
import { openLocal } from "../../agent/core/local_client.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { type McpClient, McpHome } from "../support/mcp_client.ts";
import { openTestStore, truncateAll } from "../support/sql.ts";
import { until } from "../support/until.ts";

let store: Sql;
Deno.test.beforeAll(async () => {
  store = await openTestStore("pglite");
});
Deno.test.afterAll(async () => {
  await store.close();
});

const PATIENCE_MS = 30_000;

/** Ada's and Bob's sessions in one mesh. */
async function withSessions(
  run: (ada: McpClient, bob: McpClient, bobs: McpHome) => Promise<void>,
): Promise<void> {
  await truncateAll(store);
  const broker = await TestBroker.start(store);
  const [ada, bob] = [new McpHome("Ada"), new McpHome("Bob")];
  try {
    await ada.found(broker.broker.url, "team");
    const a = await ada.open();
    await a.toolUntil("mesh_info", {}, (answer) => !answer.isError);
    const agent = await openLocal(ada.home.paths.socketPath);
    assert.ok(agent !== null);
    const { url } = await agent.call("invite.create", {});
    await agent.close();
    await bob.join(url);
    const b = await bob.open();
    await b.toolUntil("mesh_info", {}, (answer) => !answer.isError);
    await run(a, b, bob);
  } finally {
    await ada.close();
    await bob.close();
    await broker.close();
  }
}

/** The SDK's own client transport leaves the timers of its ending behind. */
function withSdkClient(name: string, run: () => Promise<void>): void {
  Deno.test({ name, fn: run, sanitizeOps: false, sanitizeResources: false });
}

async function publish(client: McpClient, from: number, to: number): Promise<void> {
  for (let data = from; data <= to; data++) {
    const { isError, text } = await client.tool("publish", { stream: "builds", data });
    assert.ok(!isError, text);
  }
}

/** Numbers of a session's stream events so far. */
function heard(client: McpClient): string[] {
  return client.events.filter(({ meta }) => meta.kind === "stream_data")
    .map(({ meta }) => meta.seq ?? "");
}

withSdkClient(
  "events reach a subscribed session once each, also past the agent's end",
  () =>
    withSessions(async (ada, bob, bobs) => {
      await publish(ada, 1, 2);
      const subscribed = await bob.tool("subscribe", { stream: "builds", from: 1 });
      assert.deepEqual([subscribed.isError, subscribed.data.from], [false, 1]);
      await publish(ada, 3, 3);
      const third = await bob.event("the third", ({ meta }) => meta.seq === "3");
      assert.equal(third.content, "[stream:builds] from Ada: 3");
      const agent = await openLocal(bobs.home.paths.socketPath);
      assert.ok(agent !== null);
      await stopAgent(agent);
      await publish(ada, 4, 5);
      await until("all five", PATIENCE_MS, () => heard(bob).length >= 5, () => heard(bob).join());
      await publish(ada, 6, 6);
      await bob.event("the sixth", ({ meta }) => meta.seq === "6");
      assert.deepEqual(heard(bob), ["1", "2", "3", "4", "5", "6"]);
      const history = await bob.tool("list_streams", { stream: "builds", from: 5 });
      const events = history.data.events as { seq: number }[];
      assert.deepEqual(events.map(({ seq }) => seq), [5, 6]);
      const listed = await bob.tool("list_streams");
      assert.match(listed.text, /"name": "builds"/);
      const unknown = await bob.tool("subscribe", { stream: "nowhere" });
      assert.match(unknown.text, /no stream "nowhere".*not_found/);
    }),
);

withSdkClient(
  "a task goes from its maker to its holder and back, told on the way",
  () =>
    withSessions(async (ada, bob) => {
      const made = await ada.tool("create_task", {
        title: "Write",
        priority: "high",
        tags: ["docs"],
      });
      const id = String(made.data.id);
      await bob.event("the new task", ({ content }) => content.includes("New task"));
      assert.ok(!ada.events.some(({ content }) => content.includes("New task")));
      const open = await bob.tool("list_tasks", { claimable: true });
      assert.deepEqual((open.data.tasks as { id: string }[]).map((task) => task.id), [id]);
      assert.equal((await bob.tool("claim_task", { id })).isError, false);
      const refused = await ada.tool("claim_task", { id });
      assert.match(refused.text, /held by Bob until.*\(conflict\)/);
      assert.equal((await bob.tool("claim_task", { id, renew: true })).isError, false);
      await bob.tool("complete_task", { id, outcome: "released", result: "no time" });
      await ada.event("the release", ({ content }) => content.includes("no time"));
      await bob.tool("claim_task", { id: id.slice(0, 10) });
      await bob.tool("complete_task", { id, result: "r".repeat(5_000) });
      await ada.event(
        "the completion",
        ({ content }) => /Bob completed the task "Write"/.test(content),
      );
      const first = await ada.tool("list_tasks", { id });
      assert.deepEqual([String(first.data.result).length, first.data.nextOffset], [4_000, 4_000]);
      const second = await ada.tool("list_tasks", { id, offset: 4_000 });
      assert.deepEqual([String(second.data.result).length, second.data.nextOffset], [
        1_000,
        undefined,
      ]);
    }),
);
