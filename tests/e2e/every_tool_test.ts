/**
 * Every tool that is served, called by a real MCP client on real processes, each with an effect that a second peer sees.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openLocal } from "../../agent/core/local_client.ts";
import { type McpClient, McpHome, type ToolResult } from "../support/mcp_client.ts";
import { type ProgramBroker, startProgramBroker } from "../support/program.ts";
import { until } from "../support/until.ts";

type Arguments = Record<string, unknown>;

/** Two people's sessions in one mesh; what is called of the first is noted. */
class Stage {
  readonly called = new Set<string>();

  private constructor(
    readonly broker: ProgramBroker,
    readonly homes: readonly [McpHome, McpHome],
    readonly ada: McpClient,
    readonly bob: McpClient,
  ) {}

  static async open(): Promise<Stage> {
    const broker = await startProgramBroker();
    const homes = [new McpHome("Ada"), new McpHome("Bob")] as const;
    await homes[0].found(broker.url, "team");
    const ada = await homes[0].open();
    await ada.toolUntil("mesh_info", {}, (answer) => !answer.isError);
    const agent = await openLocal(homes[0].home.paths.socketPath);
    assert.ok(agent !== null);
    const { url } = await agent.call("invite.create", {});
    await agent.close();
    await homes[1].join(url);
    const bob = await homes[1].open();
    await bob.toolUntil("mesh_info", {}, (answer) => !answer.isError);
    return new Stage(broker, homes, ada, bob);
  }

  /** Calls a tool as Ada. */
  async call(name: string, args: Arguments = {}): Promise<ToolResult> {
    this.called.add(name);
    const result = await this.ada.tool(name, args);
    assert.ok(!result.isError, `${name}: ${result.text}`);
    return result;
  }

  /** Waits until Bob's answer to a tool says `text`. */
  async bobSees(name: string, args: Arguments, text: string | RegExp): Promise<ToolResult> {
    return await this.bob.toolUntil(name, args, (result) => {
      const whole = `${result.text}\n${JSON.stringify(result.data)}`;
      return !result.isError &&
        (typeof text === "string" ? whole.includes(text) : text.test(whole));
    });
  }

  async close(): Promise<void> {
    for (const home of this.homes) await home.close();
    await this.broker.close();
  }
}

function id(result: ToolResult): string {
  const found = result.data.id;
  assert.equal(typeof found, "string", result.text);
  return found as string;
}

async function messaging(stage: Stage): Promise<void> {
  const sent = await stage.call("send_message", { to: "Bob", message: "hello from Ada" });
  await stage.bobSees("check_messages", {}, "hello from Ada");
  const messageId = /[A-Za-z0-9]{32}/.exec(JSON.stringify(sent.data))?.[0];
  await until("Ada's receipt says that Bob has it", 15_000, async () => {
    const { text } = await stage.call("message_status", { id: messageId });
    return /received|seen/.test(text);
  });
  assert.match((await stage.call("list_peers")).text, /Bob/);
  await stage.bob.tool("send_message", { to: "Ada", message: "hello from Bob" });
  await until(
    "Ada reads it",
    15_000,
    async () => (await stage.call("check_messages")).text.includes("hello from Bob"),
  );
  assert.match((await stage.call("ping_mesh")).text, /acknowledged/);
}

async function profile(stage: Stage): Promise<void> {
  await stage.call("set_summary", { summary: "testing every tool" });
  await stage.bobSees("list_peers", {}, "testing every tool");
  await stage.call("set_status", { status: "dnd" });
  await stage.bobSees("list_peers", {}, "dnd");
  await stage.call("set_status", { status: "idle" });
  await stage.call("set_profile", { title: "Chief tester" });
  await stage.bobSees("list_peers", {}, "Chief tester");
  await stage.call("join_group", { name: "testers" });
  await stage.bobSees("list_peers", {}, "testers");
  await stage.call("leave_group", { name: "testers" });
  await stage.bobSees("list_peers", {}, /^(?![^]*testers)/);
  await stage.call("set_visible", { visible: false });
  await stage.bobSees("list_peers", {}, /^(?![^]*Chief tester)/);
  await stage.call("set_visible", { visible: true });
  await stage.bobSees("list_peers", {}, "Chief tester");
}

async function stateAndContexts(stage: Stage): Promise<void> {
  await stage.call("set_state", { key: "sprint", value: { number: 14 } });
  await stage.bobSees("get_state", { key: "sprint" }, "14");
  await stage.bob.event("Bob hears of it", ({ meta }) => meta.kind === "state_change");
  await stage.bob.tool("set_state", { key: "by-bob", value: "bob's" });
  assert.match((await stage.call("get_state", { key: "by-bob" })).text, /bob's/);
  assert.match((await stage.call("list_state")).text, /by-bob/);
  await stage.call("share_context", {
    summary: "the parser is done",
    files_read: ["src/parser.ts"],
  });
  await stage.bobSees("get_context", { query: "parser.ts" }, "the parser is done");
  await stage.bob.tool("share_context", { summary: "bob reads the lexer" });
  assert.match((await stage.call("get_context", { query: "lexer" })).text, /bob reads/);
  assert.match((await stage.call("list_contexts")).text, /bob reads/);
}

async function memories(stage: Stage): Promise<void> {
  const stored = await stage.call("remember", {
    content: "the cache key has the locale",
    tags: ["cache"],
  });
  await stage.bobSees("recall", { query: "cache locale" }, "the cache key has the locale");
  assert.match((await stage.call("recall", { query: "locale" })).text, /cache key/);
  await stage.call("forget", { id: id(stored) });
  await stage.bobSees("recall", { query: "locale" }, /^(?![^]*cache key)/);
}

async function files(stage: Stage): Promise<void> {
  const [ada, bob] = stage.homes;
  const path = join(ada.folder, "plan.md");
  const copy = join(bob.folder, "copy.md");
  await Deno.writeTextFile(path, "the plan");
  const shared = await stage.call("share_file", { path, tags: ["plans"], to: "Ada" });
  const fileId = id(shared);
  const refused = await stage.bob.tool("get_file", { id: fileId, save_to: copy });
  assert.match(refused.text, /not shared with you/);
  await stage.call("grant_file_access", { fileId, to: "Bob" });
  await stage.bobSees("get_file", { id: fileId, save_to: copy }, "copy.md");
  assert.equal(await Deno.readTextFile(copy), "the plan");
  assert.match((await stage.call("list_files", { query: "plan" })).text, /plan\.md/);
  await until(
    "Ada sees that Bob fetched it",
    15_000,
    async () => (await stage.call("file_status", { id: fileId })).text.includes("Bob"),
  );
  const own = join(ada.folder, "own.md");
  await stage.call("get_file", { id: fileId, save_to: own });
  assert.equal(await Deno.readTextFile(own), "the plan");
  await stage.call("delete_file", { id: fileId });
  await stage.bobSees("list_files", {}, /^(?![^]*plan\.md)/);
}

async function peerFiles(stage: Stage): Promise<void> {
  const [ada, bob] = stage.homes;
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-shared-" });
  try {
    await Deno.writeTextFile(join(folder, "notes.txt"), "what Bob wrote down");
    const agent = await openLocal(bob.home.paths.socketPath);
    assert.ok(agent !== null);
    await agent.call("folder.share", { path: folder });
    const grants = { [ada.home.readConfig().meshes[0]!.pubkey]: ["read", "dm", "file-read"] };
    await agent.call("call", { wire: "set_grants", input: { grants } });
    await agent.close();
    assert.match((await stage.call("list_peer_files", { peer: "Bob" })).text, /notes\.txt/);
    const read = await stage.call("read_peer_file", { peer: "Bob", path: "notes.txt" });
    assert.match(read.text, /what Bob wrote down/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function vectors(stage: Stage): Promise<void> {
  const text = "the login page is slow on old phones";
  const stored = await stage.call("vector_store", { collection: "issues", text });
  await stage.bobSees("vector_search", { collection: "issues", query: "slow login" }, text);
  assert.match(
    (await stage.call("vector_search", { collection: "issues", query: "login" })).text,
    /slow/,
  );
  assert.match((await stage.call("list_collections")).text, /issues/);
  await stage.call("vector_delete", { collection: "issues", id: id(stored) });
  // The collection goes with its last text.
  await stage.bobSees("list_collections", {}, /^(?![^]*issues)/);
}

async function graphAndSql(stage: Stage): Promise<void> {
  await stage.call("graph_execute", {
    cypher: "CREATE (:Service {name: 'api'})-[:USES]->(:Store {name: 'pg'})",
  });
  const cypher = "MATCH (:Service)-[:USES]->(t) RETURN t.name AS store";
  await stage.bobSees("graph_query", { cypher }, "pg");
  assert.match((await stage.call("graph_query", { cypher })).text, /pg/);
  await stage.call("mesh_execute", { sql: "create table deploys (service text, version int)" });
  await stage.call("mesh_execute", { sql: "insert into deploys values ('api', 77)" });
  await stage.bobSees("mesh_query", { sql: "select version from deploys" }, "77");
  assert.match((await stage.call("mesh_query", { sql: "select * from deploys" })).text, /api/);
  assert.match((await stage.call("mesh_schema")).text, /deploys/);
}

async function streams(stage: Stage): Promise<void> {
  await stage.call("create_stream", { name: "builds" });
  await stage.bobSees("list_streams", {}, "builds");
  await stage.bob.tool("subscribe", { stream: "builds" });
  await stage.call("publish", { stream: "builds", data: { build: 4711 } });
  await stage.bob.event("Bob gets it", ({ content }) => content.includes("4711"));
  await stage.call("subscribe", { stream: "builds" });
  await stage.bob.tool("publish", { stream: "builds", data: "from-bob" });
  await stage.ada.event("Ada gets it", ({ content }) => content.includes("from-bob"));
  assert.match((await stage.call("list_streams")).text, /builds/);
}

async function tasks(stage: Stage): Promise<void> {
  const made = await stage.call("create_task", { title: "write the changelog", priority: "high" });
  await stage.bobSees("list_tasks", { status: "open" }, "write the changelog");
  await stage.call("claim_task", { id: id(made) });
  await stage.bobSees("list_tasks", { status: "claimed" }, "write the changelog");
  await stage.call("complete_task", { id: id(made), result: "it is written" });
  await stage.bobSees("list_tasks", { id: id(made) }, "it is written");
  assert.match((await stage.call("list_tasks")).text, /changelog/);
}

async function schedules(stage: Stage): Promise<void> {
  await stage.call("schedule_reminder", { message: "stand up", in_seconds: 1, to: "Bob" });
  await stage.bobSees("check_messages", {}, "stand up");
  const later = await stage.call("schedule_reminder", {
    message: "much later",
    in_seconds: 86_400,
  });
  assert.match((await stage.call("list_scheduled")).text, /much later/);
  const scheduledId = String(later.data.scheduledId);
  await stage.call("cancel_scheduled", { id: scheduledId });
  assert.doesNotMatch((await stage.call("list_scheduled")).text, /much later/);
}

async function clock(stage: Stage): Promise<void> {
  await stage.call("mesh_set_clock", { speed: 100 });
  await stage.bobSees("mesh_clock", {}, "running");
  await stage.call("mesh_pause_clock");
  await stage.bobSees("mesh_clock", {}, "paused");
  await stage.call("mesh_resume_clock");
  await stage.bobSees("mesh_clock", {}, "running");
  assert.match((await stage.call("mesh_clock")).text, /100/);
}

async function skills(stage: Stage): Promise<void> {
  await stage.call("share_skill", {
    name: "review",
    description: "How we review",
    instructions: "Read the tests first.",
  });
  await stage.bobSees("get_skill", { name: "review" }, "Read the tests first.");
  await until(
    "Bob's host sees it as a prompt",
    15_000,
    async () =>
      (await stage.bob.client.listPrompts()).prompts.some(({ name }) => name.includes("review")),
  );
  assert.match((await stage.call("get_skill", { name: "review" })).text, /Read the tests/);
  assert.match((await stage.call("list_skills")).text, /review/);
  await stage.call("remove_skill", { name: "review" });
  await stage.bobSees("list_skills", {}, /^(?![^]*How we review)/);
}

async function overview(stage: Stage): Promise<void> {
  const { data } = await stage.call("mesh_info");
  assert.deepEqual(data.stateKeys, ["by-bob", "sprint"]);
  assert.deepEqual(data.streams, ["builds"]);
  assert.deepEqual(data.tables, ["deploys"]);
  assert.equal(data.memoryCount, 0);
  assert.equal((data.tasks as { completed: number }).completed, 1);
  assert.match((await stage.call("mesh_stats")).text, /Bob/);
}

Deno.test({
  name: "a real MCP client calls every tool, and a second peer sees what it did",
  // The SDK's client transport leaves the timers of its ending behind.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(test) {
    const stage = await Stage.open();
    const families = [
      messaging,
      profile,
      stateAndContexts,
      memories,
      files,
      peerFiles,
      vectors,
      graphAndSql,
      streams,
      tasks,
      schedules,
      clock,
      skills,
      overview,
    ];
    try {
      for (const family of families) await test.step(family.name, () => family(stage));
      const { tools } = await stage.ada.client.listTools();
      const uncalled = tools.map(({ name }) => name).filter((name) => !stage.called.has(name));
      assert.deepEqual(uncalled, []);
    } finally {
      await stage.close();
    }
  },
});
