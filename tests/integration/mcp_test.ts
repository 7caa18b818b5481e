/**
 * `claudemesh mcp` as a process, with a real MCP client: the handshake, the tools, channel events, and two sessions of
 * two homes that talk through a real broker.
 */
import assert from "node:assert/strict";
import type { Sql } from "../../storage/sql/port.ts";
import { openLocal } from "../../agent/core/local_client.ts";
import { stopAgent } from "../../agent/core/agent_launch.ts";
import { ops } from "../../broker/api/catalog.ts";
import { TestBroker } from "../support/broker.ts";
import { type McpClient, McpHome } from "../support/mcp_client.ts";
import { openTestStore, truncateAll } from "../support/sql.ts";

let store: Sql;
Deno.test.beforeAll(async () => {
  store = await openTestStore("pglite");
});
Deno.test.afterAll(async () => {
  await store.close();
});

/** A home that has joined nothing, and a client of it. */
async function withLoner(run: (client: McpClient) => Promise<void> | void): Promise<void> {
  const home = new McpHome("Ada");
  try {
    await run(await home.open());
  } finally {
    await home.close();
  }
}

/** Two homes in one mesh. */
async function withPair(
  run: (ada: McpHome, bob: McpHome, broker: TestBroker) => Promise<void>,
): Promise<void> {
  await truncateAll(store);
  const broker = await TestBroker.start(store);
  const [ada, bob] = [new McpHome("Ada"), new McpHome("Bob")];
  try {
    await ada.found(broker.broker.url, "team");
    const first = await ada.open(["--mesh", "team"], { CLAUDEMESH_SESSION_ID: "maker" });
    await first.toolUntil("mesh_info", {}, (answer) => !answer.isError);
    const agent = await openLocal(ada.home.paths.socketPath);
    assert.ok(agent !== null);
    const { url } = await agent.call("invite.create", {});
    await agent.close();
    await first.close();
    await bob.join(url);
    await run(ada, bob, broker);
  } finally {
    await ada.close();
    await bob.close();
    await broker.close();
  }
}

/** The example of the operation behind a tool, by the tool's names for its fields. */
function exampleArguments(toolName: string): Record<string, unknown> {
  const op = ops.find((each) => each.tool?.name === toolName);
  const shownAs = Object.entries(op?.tool?.rename ?? {}).map(([shown, field]) => [field, shown]);
  const names = Object.fromEntries(shownAs) as Record<string, string>;
  const entries = Object.entries(op?.example.input ?? {})
    .filter(([field]) => !op?.tool?.hide?.includes(field))
    .map(([field, value]) => [names[field] ?? field, value]);
  return Object.fromEntries(entries);
}

async function openTalking(
  home: McpHome,
  environment: Record<string, string> = {},
): Promise<McpClient> {
  const client = await home.open([], environment);
  await client.toolUntil("mesh_info", {}, (answer) => !answer.isError);
  return client;
}

/** A test with the SDK's own client transport, which leaves the timers of its ending behind. */
function withSdkClient(name: string, run: () => Promise<void>): void {
  Deno.test({ name, fn: run, sanitizeOps: false, sanitizeResources: false });
}

withSdkClient(
  "the handshake declares the channel, the lists, and who the server is",
  () =>
    withLoner(({ client }) => {
      const capabilities = client.getServerCapabilities();
      assert.deepEqual(capabilities?.experimental, { "claude/channel": {} });
      for (const list of ["tools", "prompts", "resources"] as const) {
        assert.equal(capabilities?.[list]?.listChanged, true, list);
      }
      assert.equal(client.getServerVersion()?.name, "claudemesh");
      const instructions = client.getInstructions() ?? "";
      assert.ok(instructions.length > 500 && instructions.length < 2_048);
    }),
);

withSdkClient(
  "prompts and resources are empty lists, and unknown ones the protocol's own errors",
  () =>
    withLoner(async ({ client }) => {
      assert.deepEqual((await client.listPrompts()).prompts, []);
      assert.deepEqual((await client.listResources()).resources, []);
      assert.deepEqual((await client.listResourceTemplates()).resourceTemplates, []);
      await assert.rejects(client.getPrompt({ name: "nothing" }), { code: -32602 });
      await assert.rejects(client.readResource({ uri: "skill://claudemesh/nothing" }), {
        code: -32002,
      });
      await assert.rejects(client.callTool({ name: "nothing" }), { code: -32602 });
    }),
);

withSdkClient(
  "without a joined mesh every tool says in words what to do",
  () =>
    withLoner(async (client) => {
      const { tools } = await client.client.listTools();
      const args: Record<string, Record<string, unknown>> = {
        send_message: { to: "Bob", message: "x" },
        schedule_reminder: { message: "x", in_seconds: 60 },
        mesh_query: { sql: "select 1" },
        claim_task: { id: "12345678" },
        complete_task: { id: "12345678" },
        share_file: { path: Deno.execPath() },
        get_file: { id: "12345678", save_to: "/nowhere/x" },
        grant_file_access: { fileId: "12345678", to: "Bob" },
        read_peer_file: { peer: "Bob", path: "notes.md" },
        list_peer_files: { peer: "Bob" },
      };
      for (const { name } of tools.filter((tool) => tool.name !== "check_messages")) {
        const { isError, text, data } = await client.tool(
          name,
          args[name] ?? exampleArguments(name),
        );
        assert.equal(isError, true, name);
        assert.match(text, /No mesh is joined.*\(not_joined\).*claudemesh join LINK/, name);
        assert.ok(JSON.stringify(data).includes("not_joined"), name);
      }
      assert.equal((await client.tool("check_messages")).isError, false);
    }),
);

withSdkClient(
  "wrong arguments are the tool's error, with the parameter's name and what there is",
  () =>
    withLoner(async (client) => {
      const status = await client.tool("set_status", { status: "asleep" });
      assert.match(
        status.text,
        /^Error: status: .*invalid_argument.*Parameters of set_status: status, mesh/,
      );
      const extra = await client.tool("list_peers", { meshes: "x" });
      assert.match(extra.text, /meshes.*invalid_argument/);
      assert.ok(status.isError && extra.isError);
    }),
);

withSdkClient(
  "two sessions talk in both directions, by channel and by check_messages",
  () =>
    withPair(async (ada, bob) => {
      const a = await openTalking(ada);
      const b = await openTalking(bob);
      const welcome = await b.event("the welcome", (event) => event.meta.kind === "welcome");
      assert.match(welcome.content, /You are Bob in the mesh team/);

      const sent = await a.toolUntil(
        "send_message",
        { to: "Bob", message: "are you there?" },
        (answer) => !answer.isError,
      );
      assert.match(sent.text, /^✓ Bob \(team\): [A-Za-z0-9]{32} to 1 recipient$/);
      const pushed = await b.event(
        "Ada's question",
        (event) => event.content === "Ada: are you there?",
      );
      assert.equal(pushed.meta.verification, "signed");
      assert.equal(pushed.meta.kind, "direct");

      const answer = {
        to: pushed.meta.from_name,
        message: "yes",
        reply_to: pushed.meta.message_id,
      };
      assert.equal((await b.tool("send_message", answer)).isError, false);
      const back = await a.event("Bob's answer", (event) => event.content === "Bob: yes");
      assert.equal(back.meta.reply_to_id, pushed.meta.message_id);

      const read = await b.tool("check_messages");
      assert.equal(read.data.count, 1);
      assert.match(read.text, /from="Ada".*verified="signed/);
      const id = pushed.meta.message_id;
      const seen = (result: { data: unknown }) =>
        JSON.stringify(result.data).includes('"state":"seen"');
      await a.toolUntil("message_status", { id }, seen);
      assert.match((await b.tool("check_messages")).text, /No messages are waiting/);
    }),
);

withSdkClient(
  "a channel event alone does not make a message seen, and low ones come by no event",
  () =>
    withPair(async (ada, bob) => {
      const [a, b] = [await openTalking(ada), await openTalking(bob)];
      await a.tool("send_message", { to: "Bob", message: "quiet", priority: "low" });
      const { data } = await a.tool("send_message", { to: "Bob", message: "loud" });
      await b.event("the loud one", (event) => event.content === "Ada: loud");
      assert.ok(b.events.every((event) => !event.content.includes("quiet")));
      const [{ messageId }] = data.results as { messageId: string }[] as [{ messageId: string }];
      const status = await a.tool("message_status", { id: messageId.slice(0, 10) });
      const [recipient] = status.data.recipients as { state: string }[];
      assert.equal(recipient?.state, "received");
      const { data: read } = await b.tool("check_messages");
      const texts = (read.messages as { text: string }[]).map((each) => each.text);
      assert.deepEqual(texts, ["quiet", "loud"]);
    }),
);

withSdkClient(
  "an urgent message rides behind the next tool result, once",
  () =>
    withPair(async (ada, bob) => {
      const [a, b] = [await openTalking(ada), await openTalking(bob)];
      await a.tool("send_message", { to: "Bob", message: "stop the deployment", priority: "now" });
      await b.event(
        "the urgent one",
        (event) => event.content === "[URGENT] Ada: stop the deployment",
      );
      const ridden = await b.tool("list_peers");
      assert.ok(ridden.text.includes("stop the deployment"));
      assert.match(String(ridden.data.peer_messages), /never take them as permission/);
      await b.toolUntil("list_peers", {}, (answer) => !answer.text.includes("stop the deployment"));
    }),
);

withSdkClient(
  "in mode inbox the text comes only when it is asked for",
  () =>
    withPair(async (ada, bob) => {
      const a = await openTalking(ada);
      const b = await openTalking(bob, { CLAUDEMESH_MESSAGE_MODE: "inbox" });
      assert.match(b.client.getInstructions() ?? "", /check_messages has their text/);
      await a.tool("send_message", { to: "Bob", message: "a secret" });
      await b.event("the notice", (event) => event.meta.kind === "inbox_notification");
      assert.ok(b.events.every((event) => !event.content.includes("a secret")));
      assert.ok((await b.tool("check_messages")).text.includes("a secret"));
    }),
);

withSdkClient(
  "profile, groups and status are seen by the others, and a group message arrives",
  () =>
    withPair(async (ada, bob) => {
      const [a, b] = [await openTalking(ada), await openTalking(bob)];
      for (
        const [name, args] of [
          ["set_summary", { summary: "Moving the tables" }],
          ["set_status", { status: "dnd" }],
          ["set_profile", { title: "Backend", avatar: "🐢" }],
          ["join_group", { name: "eng/api", role: "lead" }],
        ] as const
      ) {
        const { isError, text } = await b.tool(name, args);
        assert.equal(isError, false, text);
      }
      const { text } = await a.tool("list_peers", { mesh_slug: "team" });
      assert.match(text, /🐢 Bob \(Backend\) \[dnd\] local @eng\/api\(lead\).*— Moving the tables/);
      await a.tool("send_message", { to: "@eng", message: "group news", priority: "now" });
      await b.event("the group's news", (event) => event.content.includes("(to @eng): group news"));
    }),
);

withSdkClient(
  "ping_mesh times the real path and says what would be held",
  () =>
    withPair(async (ada) => {
      const a = await openTalking(ada);
      const { text, isError } = await a.tool("ping_mesh", { priorities: ["now"] });
      assert.equal(isError, false, text);
      assert.match(text, /team: connected, \d+ peers.*to the broker and back in \d/);
      assert.match(text, /now: acknowledged in \d.* \(on disk: \d.*back in \d.* \(pushed: \d/);
      assert.match(text, /Notifications: mode push/);
    }),
);

withSdkClient(
  "a long message is read in parts, and counts as seen at its end",
  () =>
    withPair(async (ada, bob) => {
      const [a, b] = [await openTalking(ada), await openTalking(bob)];
      const long = Array.from({ length: 9_000 }, (_, index) => `${index}`).join(" ");
      await a.tool("send_message", { to: "Bob", message: long });
      await b.event("the long one", (event) => event.content.startsWith("Ada: 0 1 2"));
      let read = "";
      let offset: unknown = 0;
      while (typeof offset === "number") {
        const { data, text } = await b.tool("check_messages", offset === 0 ? {} : { offset });
        assert.ok(text.length < 40_000);
        read += (data.messages as { text: string }[])[0]?.text;
        offset = data.nextOffset;
      }
      assert.equal(read, long);
      assert.match((await b.tool("check_messages")).text, /No messages are waiting/);
    }),
);

withSdkClient(
  "the server outlives its agent: it starts another and goes on",
  () =>
    withPair(async (ada) => {
      const a = await openTalking(ada);
      const agent = await openLocal(ada.home.paths.socketPath);
      assert.ok(agent !== null);
      await stopAgent(agent);
      await a.toolUntil("mesh_info", {}, (answer) => !answer.isError);
      const next = await openLocal(ada.home.paths.socketPath);
      assert.ok(next !== null && next.greeting.pid !== agent.greeting.pid);
      await next.close();
    }),
);

withSdkClient(
  "with --standalone the agent lives and ends inside the server",
  () =>
    withPair(async (_ada, bob) => {
      const client = await bob.open(["--standalone"]);
      await client.toolUntil("mesh_info", {}, (answer) => !answer.isError);
      const inside = await openLocal(bob.home.paths.socketPath);
      assert.equal(inside?.greeting.pid, client.pid);
      await inside?.close();
      await client.close();
      assert.equal(await openLocal(bob.home.paths.socketPath), null);
    }),
);
