/**
 * The agent over its local socket: what clients may ask, what they are refused, who hears of which message.
 */
import assert from "node:assert/strict";
import { createConnection } from "node:net";
import type { LocalParams } from "../../agent/core/local_api.ts";
import { startDaemon } from "../../agent/daemon/daemon.ts";
import { daemonSetup } from "../../agent/daemon/main.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { gatherLocally, LocalAgent, type TestClient } from "../support/local_agent.ts";
import { until } from "../support/until.ts";
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

/** An agent that has joined nothing. */
async function withLoner(run: (agent: LocalAgent) => Promise<void>): Promise<void> {
  const agent = await new LocalAgent("Ada").start();
  try {
    await run(agent);
  } finally {
    await agent.close();
  }
}

function session(sessionId: string, changes: Partial<LocalParams<"session.attach">> = {}) {
  return { sessionId, pid: 100, cwd: "/tmp/project", ...changes };
}

/** Sends raw lines and returns the first answer after the greeting, null when the connection was cut before. */
async function rawAnswer(agent: LocalAgent, line: string): Promise<Record<string, unknown> | null> {
  const socket = createConnection(agent.home.paths.socketPath);
  const answer = Promise.withResolvers<string | null>();
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString();
    const [, second] = received.split("\n");
    if (second !== undefined && second !== "" && received.endsWith("\n")) answer.resolve(second);
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("error", () => answer.resolve(null));
  socket.on("close", () => answer.resolve(null));
  socket.write(line);
  const text = await answer.promise;
  socket.destroy();
  await closed;
  return text === null ? null : JSON.parse(text);
}

Deno.test("messages go both ways between two agents, and their senders see them seen", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const [a, b] = [await ada!.connect(), await bob!.connect()];
    await a.call("session.attach", session("session-a"));
    await b.call("session.attach", session("session-b"));
    const { results: [sent] } = await a.call("send", {
      to: ["Bob"],
      body: "hello Bob",
      sessionId: "session-a",
    });
    assert.ok(sent?.ok && sent.state === "sent" && sent.recipients === 1);
    const arrived = await b.message("hello Bob");
    assert.equal(arrived.fromName, "Ada");
    assert.equal(arrived.verification, "signed");

    const { messages } = await b.call("messages.take", { sessionId: "session-b" });
    assert.deepEqual(messages.map((each) => [each.id, each.text]), [[sent.messageId, "hello Bob"]]);
    const again = await b.call("messages.take", { sessionId: "session-b" });
    assert.deepEqual(again.messages, [], "what was handed out does not wait any more");
    await b.call("send", {
      to: [arrived.fromName],
      body: "hello Ada",
      replyTo: arrived.id,
      sessionId: "session-b",
    });
    const answer = await a.message("hello Ada");
    assert.equal(answer.replyTo, sent.messageId);

    await until("the sender sees it seen", 5_000, async () => {
      const input = { messageId: sent.messageId! };
      const { results: [status] } = await a.call("call", { wire: "message_status", input });
      assert.ok(status?.ok);
      const [recipient] = status.output.recipients as { state: string }[];
      return recipient?.state === "seen";
    });
  }));

Deno.test("what is peeked at or not confirmed goes on waiting", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const [a, b] = [await ada!.connect(), await bob!.connect()];
    await b.call("session.attach", session("session-b"));
    await a.call("send", { to: ["Bob"], body: "hello" });
    const { id } = await b.message("hello");
    const take = (options: Partial<LocalParams<"messages.take">>) =>
      b.call("messages.take", { sessionId: "session-b", ...options });
    assert.equal((await take({ peek: true })).messages.length, 1);
    assert.equal((await take({ confirm: true })).messages.length, 1);
    assert.equal((await take({ confirm: true })).messages[0]?.seenAt, null);
    assert.deepEqual(await b.call("messages.seen", { ids: [id], sessionId: "session-b" }), {
      seen: 1,
    });
    assert.deepEqual(await b.call("messages.seen", { ids: [id] }), { seen: 0 });
    assert.equal((await take({})).messages.length, 0);
  }));

Deno.test("a session that comes back finds what it had not read", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const [a, b] = [await ada!.connect(), await bob!.connect()];
    await b.call("session.attach", session("session-b"));
    await a.call("send", { to: ["Bob"], body: "are you there?" });
    await b.message("are you there?");
    await b.client.close();
    const back = await bob!.connect();
    await back.call("session.attach", session("session-b"));
    const { messages } = await back.call("messages.take", { sessionId: "session-b" });
    assert.deepEqual(messages.map((each) => each.text), ["are you there?"]);
  }));

Deno.test("a message for one session is not told to the other", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const a = await ada!.connect();
    const [desk, lab] = [await bob!.connect(), await bob!.connect()];
    await desk.call("session.attach", session("desk", { displayName: "Bob desk" }));
    await lab.call("session.attach", session("lab", { displayName: "Bob lab" }));
    await untilListed(a, ["Bob desk", "Bob lab"]);
    await a.call("send", { to: ["Bob lab"], body: "for the lab" });
    await lab.message("for the lab");
    await a.call("send", { to: ["*"], body: "for all" });
    await desk.message("for all");
    const texts = desk.events.flatMap((event) =>
      event.kind === "message" ? [event.message.text] : []
    );
    assert.deepEqual(texts, ["for all"]);
  }));

async function untilListed(client: TestClient, names: readonly string[]): Promise<void> {
  await client.call("messages.watch", {});
  for (;;) {
    const heard = client.events.length;
    const { results: [listed] } = await client.call("call", { wire: "list_peers" });
    const shown = listed?.ok ? listed.output.peers as { displayName: string }[] : [];
    if (names.every((name) => shown.some((peer) => peer.displayName === name))) return;
    await client.event(
      "a peer joins",
      (event) => client.events.indexOf(event) >= heard ? event : null,
    );
  }
}

Deno.test("a list of recipients gives each person the message once", () =>
  withTeam(["Ada", "Bob", "Cleo"], async ([ada, bob]) => {
    const a = await ada!.connect();
    const { meshes: [mesh] } = await (await bob!.connect()).call("agent.info", {});
    const key = mesh!.pubkey;
    const { results } = await a.call("send", {
      to: ["Bob", key, "bob", "Nobody", "team:Cleo"],
      body: "x",
    });
    assert.deepEqual(results.map((each) => [each.to, each.ok]), [
      ["Bob", true],
      ["Nobody", false],
      ["team:Cleo", true],
    ]);
    const refused = results.find((each) => !each.ok);
    assert.ok(refused !== undefined && !refused.ok);
    assert.equal(refused.error.code, "not_found");
    const everyone = await a.call("send", { to: ["Bob", "*", "Cleo"], body: "y" });
    assert.deepEqual(everyone.results.map((each) => each.to), ["*"]);
  }));

Deno.test("what is sent while the broker is away is queued here and goes out later", () =>
  withTeam(["Ada", "Bob"], async ([ada], broker) => {
    const a = await ada!.connect();
    await a.call("messages.watch", {});
    await a.call("send", { to: ["Bob"], body: "now" });
    await broker.broker.close();
    await a.event(
      "the mesh is lost",
      (event) => event.kind === "state" && !event.state.connected ? event : null,
    );
    const { results: [sent] } = await a.call("send", { to: ["Bob"], body: "later", waitMs: 0 });
    assert.ok(sent?.ok, JSON.stringify(sent));
    assert.deepEqual([sent.state, sent.messageId], ["queued_locally", null]);
    const { messages } = await a.call("outbox.list", {});
    assert.deepEqual(messages.map((each) => [each.mesh, each.state]), [["team", "queued"]]);
    await broker.restart();
  }));

Deno.test("a reader that waits gets the first message as it comes", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const [a, b] = [await ada!.connect(), await bob!.connect()];
    const waiting = b.call("messages.take", { reader: "person", waitMs: 10_000 });
    await a.call("send", { to: ["Bob"], body: "at last" });
    assert.deepEqual((await waiting).messages.map((each) => each.text), ["at last"]);
    assert.deepEqual((await b.call("messages.take", { reader: "person", waitMs: 1 })).messages, []);
  }));

Deno.test("a session ends with its connection", () =>
  withTeam(["Ada"], async ([ada]) => {
    const [holder, other] = [await ada!.connect(), await ada!.connect()];
    const state = await holder.call("session.attach", session("s"));
    assert.deepEqual(state.meshes.map((mesh) => mesh.slug), ["team"]);
    assert.equal((await other.call("agent.info", {})).sessions, 1);
    await holder.client.close();
    await until("the session has ended", 5_000, async () => {
      return (await other.call("agent.info", {})).sessions === 0;
    });
    assert.deepEqual(await other.call("session.detach", { sessionId: "s" }), { detached: false });
  }));

Deno.test("a session cannot be attached to a mesh that is not joined", () =>
  withTeam(["Ada"], async ([ada]) => {
    const client = await ada!.connect();
    await assert.rejects(client.call("session.attach", session("s", { meshes: ["other"] })), {
      code: "not_found",
      hint: "Joined are: team",
    });
  }));

Deno.test("an agent that has joined nothing says how to join", () =>
  withLoner(async (agent) => {
    const client = await agent.connect();
    await assert.rejects(client.call("call", { wire: "list_peers" }), {
      code: "not_joined",
      exit: 5,
    });
    assert.deepEqual((await client.call("agent.info", {})).meshes, []);
  }));

Deno.test("operations that the agent does by itself are refused to clients, unknown ones too", () =>
  withTeam(["Ada"], async ([ada]) => {
    const client = await ada!.connect();
    for (const wire of ["send", "client_ack", "rotate_mesh_key", "no_such_thing"]) {
      const { results: [result] } = await client.call("call", { wire });
      assert.ok(result !== undefined && !result.ok, wire);
      assert.equal(result.error.code, "invalid_argument", wire);
    }
  }));

Deno.test("wrong parameters are refused with the field's name", () =>
  withLoner(async (agent) => {
    const client = await agent.connect();
    const wrong = { sessionId: "s", pid: -1, cwd: "/" };
    await assert.rejects(client.call("session.attach", wrong), (error: Error) => {
      assert.match(error.message, /^pid: /);
      return true;
    });
  }));

Deno.test("lines that are no JSON and methods that are none get JSON-RPC's own errors", () =>
  withLoner(async (agent) => {
    const codeOf = (answer: Record<string, unknown> | null) =>
      (answer?.error as { code: number } | undefined)?.code;
    assert.equal(codeOf(await rawAnswer(agent, "{oh no\n")), -32700);
    const unknown = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "toString", params: {} });
    assert.equal(codeOf(await rawAnswer(agent, `${unknown}\n`)), -32601);
    const wrong = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "send", params: [] });
    assert.equal(codeOf(await rawAnswer(agent, `${wrong}\n`)), -32602);
  }));

Deno.test("a line without end is cut off, and the agent goes on", () =>
  withLoner(async (agent) => {
    const answer = await rawAnswer(agent, "x".repeat(4_200_000));
    assert.equal((answer?.error as { code: number } | undefined)?.code, -32600);
    assert.equal((await (await agent.connect()).call("agent.info", {})).pid, Deno.pid);
  }));

Deno.test("only the user can reach the socket and read the log", () =>
  withLoner(({ home: { paths } }) => {
    const modes = [paths.runDir, paths.socketPath, paths.logFile]
      .map((path) => ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8));
    assert.deepEqual(modes, ["700", "600", "600"]);
    return Promise.resolve();
  }));

Deno.test("a second agent of the same home refuses to start and disturbs nothing", () =>
  withLoner(async (agent) => {
    await assert.rejects(startDaemon(daemonSetup("1.2.3", agent.home)), {
      code: "agent_running",
      exit: 6,
    });
    assert.equal((await (await agent.connect()).call("agent.info", {})).version, "1.2.3");
  }));

Deno.test("a socket that a killed agent has left behind is replaced", () =>
  withLoner(async (agent) => {
    await agent.stop();
    await Deno.writeTextFile(agent.home.paths.socketPath, "");
    await agent.start();
    assert.equal((await (await agent.connect()).call("agent.info", {})).sessions, 0);
  }));

Deno.test("a client may stop the agent: it answers first, then ends what it holds", () =>
  withLoner(async (agent) => {
    const client = await agent.connect();
    assert.deepEqual(await client.call("agent.stop", {}), { stopping: true });
    await agent.daemon.stopRequested;
    await agent.daemon.close();
    await client.client.closed;
    await assert.rejects(client.call("agent.info", {}), { code: "agent_gone", exit: 4 });
  }));

Deno.test("a client within the process has the same methods and checks", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const inside = ada!.daemon.connect();
    await inside.call("session.attach", session("inside"));
    await assert.rejects(inside.call("session.detach", { sessionId: "" }), {
      code: "invalid_argument",
    });
    const b = await bob!.connect();
    const heard = Promise.withResolvers<string | null>();
    inside.onEvent((event) => {
      if (event.kind === "message") heard.resolve(event.message.text);
    });
    await b.call("send", { to: ["Ada"], body: "hello inside" });
    assert.equal(await heard.promise, "hello inside");
    await inside.close();
    assert.equal((await (await ada!.connect()).call("agent.info", {})).sessions, 0);
  }));

Deno.test("a mesh that is left is forgotten with its keys and messages", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const b = await bob!.connect();
    const { meshes: [mesh] } = await b.call("agent.info", {});
    assert.deepEqual(await b.call("mesh.leave", { mesh: "team" }), { mesh: "team" });
    assert.deepEqual((await b.call("agent.info", {})).meshes, []);
    assert.throws(() => bob!.home.readMemberKey(mesh!.meshId), { code: "key_missing" });
    const a = await ada!.connect();
    const { results: [sent] } = await a.call("send", { to: ["Bob"], body: "gone?" });
    assert.ok(sent !== undefined && !sent.ok && sent.error.code === "not_found");
  }));

Deno.test("who was banned is told why nothing goes out, and can forget the mesh here alone", () =>
  withTeam(["Ada", "Bob"], async ([ada, bob]) => {
    const [a, b] = [await ada!.connect(), await bob!.connect()];
    const { meshes: [mesh] } = await b.call("agent.info", {});
    await a.call("call", { wire: "ban", input: { target: "Bob" } });
    await until("the agent knows", 5_000, async () => {
      const { meshes: [state] } = await b.call("agent.info", {});
      return state?.stopped === true;
    });
    const { results: [sent] } = await b.call("send", { to: ["Ada"], body: "anyone?", waitMs: 0 });
    assert.ok(sent?.ok && sent.state === "queued_locally");
    assert.match(sent.reason!, /banned/);
    assert.match(sent.hint!, /unban/);
    await assert.rejects(b.call("mesh.leave", { mesh: "team" }), { code: "refused", exit: 2 });
    await b.call("mesh.leave", { mesh: "team", onlyHere: true });
    assert.deepEqual((await b.call("agent.info", {})).meshes, []);
    assert.throws(() => bob!.home.readMemberKey(mesh!.meshId), { code: "key_missing" });
  }));
