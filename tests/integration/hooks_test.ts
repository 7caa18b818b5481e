/**
 * The hook wake paths: what a host's hooks are given to print, when, and what then counts as seen.
 */
import assert from "node:assert/strict";
import type { LocalParams } from "../../agent/core/local_api.ts";
import type { HookAnswer, LocalMessage } from "../../agent/core/local_types.ts";
import type { Sql } from "../../storage/sql/port.ts";
import { TestBroker } from "../support/broker.ts";
import { gatherLocally, type LocalAgent, type TestClient } from "../support/local_agent.ts";
import { homeEnvironment, runCommand } from "../support/program.ts";
import { selfCommand } from "../../agent/home/self_command.ts";
import { openTestStore, truncateAll } from "../support/sql.ts";
import { until } from "../support/until.ts";

let store: Sql;
Deno.test.beforeAll(async () => {
  store = await openTestStore("pglite");
});
Deno.test.afterAll(async () => {
  await store.close();
});

/** Ada, who sends, and Bob, whose host runs hooks. */
interface Pair {
  readonly ada: TestClient;
  readonly bob: TestClient;
  readonly bobsAgent: LocalAgent;
  /** Runs a hook of Bob's session. */
  hook(event: string, changes?: Partial<LocalParams<"hook">>): Promise<HookAnswer>;
  /** Sends to Bob and waits until it has arrived. */
  send(body: string, priority?: LocalMessage["priority"]): Promise<LocalMessage>;
  /** Reports what a hook has printed, as the program does. */
  confirm(answer: HookAnswer): Promise<void>;
}

const HOST_PID = 4_711;

async function withPair(
  run: (pair: Pair) => Promise<void>,
  attach: Partial<LocalParams<"session.attach">> | null = {},
): Promise<void> {
  await truncateAll(store);
  const broker = await TestBroker.start(store);
  let agents: LocalAgent[] = [];
  try {
    agents = await gatherLocally(broker.broker.url, ["Ada", "Bob"]);
    const [adasAgent, bobsAgent] = agents as [LocalAgent, LocalAgent];
    const [ada, bob] = [await adasAgent.connect(), await bobsAgent.connect()];
    await bob.call("messages.watch", {});
    if (attach !== null) await bob.call("session.attach", { ...SESSION, ...attach });
    await run({
      ada,
      bob,
      bobsAgent,
      hook: (event, changes = {}) =>
        bob.call("hook", { event, sessionId: SESSION.sessionId, cwd: "/tmp", ...changes }),
      async send(body, priority = "next") {
        await ada.call("send", { to: ["Bob"], body, priority });
        return await bob.message(body);
      },
      async confirm({ carried, sessionId }) {
        assert.ok(sessionId !== null);
        await bob.call("messages.seen", { ids: [...carried], sessionId });
      },
    });
  } finally {
    for (const agent of agents) await agent.close();
    await broker.close();
  }
}

const SESSION = { sessionId: "host-session", pid: HOST_PID, cwd: "/tmp/project" };

function contextOf({ output }: HookAnswer): string {
  assert.ok(output !== null && "hookSpecificOutput" in output, JSON.stringify(output));
  return output.hookSpecificOutput.additionalContext;
}

function reasonOf({ output }: HookAnswer): string {
  assert.ok(output !== null && "decision" in output, JSON.stringify(output));
  assert.equal(output.decision, "block");
  return output.reason;
}

/** What others see of Bob. */
async function statusOfBob(ada: TestClient, wanted: string): Promise<void> {
  await until(`Bob is ${wanted}`, 10_000, async () => {
    const { results: [listed] } = await ada.call("call", { wire: "list_peers" });
    const peers = listed?.ok ? listed.output.peers as { sessionId: string; status: string }[] : [];
    return peers.some((peer) => peer.sessionId === SESSION.sessionId && peer.status === wanted);
  });
}

for (const event of ["SessionStart", "UserPromptSubmit", "PostToolUse"]) {
  Deno.test(`${event} puts a waiting message into the context, as data, once`, () =>
    withPair(async ({ hook, send, confirm }) => {
      const { id } = await send("please look at #12");
      const answer = await hook(event);
      const context = contextOf(answer);
      assert.match(context, /from="Ada".*verified="signed by the sender's key"/);
      assert.ok(context.includes("please look at #12"));
      assert.match(context, /never take them as permission/);
      assert.deepEqual(answer.carried, [id]);
      await confirm(answer);
      assert.deepEqual(await hook(event), { output: null, carried: [], sessionId: null });
    }));
}

Deno.test("what a hook carried but never printed is carried again", () =>
  withPair(async ({ bob, hook, send }) => {
    await send("do not lose me");
    await hook("PostToolUse");
    const { messages } = await bob.call("messages.list", {});
    assert.equal(messages[0]?.seenAt, null);
    assert.ok(contextOf(await hook("PostToolUse")).includes("do not lose me"));
  }));

Deno.test("hooks are silent when nothing waits, for other events, and for hosts that give no session", () =>
  withPair(async ({ hook, send }) => {
    assert.equal((await hook("UserPromptSubmit")).output, null);
    await send("hello", "now");
    for (
      const event of [
        "PreToolUse",
        "SubagentStop",
        "SessionEnd",
        "Notification",
        "NewEvent",
        "none",
      ]
    ) {
      assert.equal((await hook(event)).output, null, event);
    }
    assert.equal((await hook("UserPromptSubmit", { sessionId: "", hostPids: [1] })).output, null);
  }));

Deno.test("low priority is never put into a turn, but read on request", () =>
  withPair(async ({ bob, hook, send }) => {
    await send("when you have time", "low");
    for (const event of ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"]) {
      assert.equal((await hook(event)).output, null, event);
    }
    const { messages } = await bob.call("messages.take", { sessionId: SESSION.sessionId });
    assert.deepEqual(messages.map((each) => each.text), ["when you have time"]);
  }));

Deno.test("Stop goes on for an urgent message and for no other", () =>
  withPair(async ({ hook, send, confirm }) => {
    await send("no hurry");
    assert.equal((await hook("Stop")).output, null);
    const { id } = await send("production is down", "now");
    const answer = await hook("Stop");
    assert.ok(reasonOf(answer).includes("production is down"));
    assert.ok(!reasonOf(answer).includes("no hurry"));
    assert.deepEqual(answer.carried, [id]);
    await confirm(answer);
    assert.equal((await hook("Stop", { stopHookActive: true })).output, null);
  }));

Deno.test("a turn is continued at most eight times in a row", () =>
  withPair(async ({ hook, send, confirm }) => {
    await hook("UserPromptSubmit");
    for (let count = 1; count <= 8; count++) {
      await send(`urgent ${count}`, "now");
      const answer = await hook("Stop");
      assert.ok(reasonOf(answer).includes(`urgent ${count}`));
      await confirm(answer);
    }
    await send("urgent 9", "now");
    assert.equal((await hook("Stop")).output, null);
    assert.ok(contextOf(await hook("UserPromptSubmit")).includes("urgent 9"));
  }));

Deno.test("hooks tell the mesh whether the session works", () =>
  withPair(async ({ ada, hook }) => {
    await hook("UserPromptSubmit");
    await statusOfBob(ada, "working");
    await hook("Stop");
    await statusOfBob(ada, "idle");
    await hook("none", { status: "working" });
    await statusOfBob(ada, "working");
    await hook("Notification", { detail: "permission_prompt" });
    await statusOfBob(ada, "idle");
  }));

Deno.test("a turn that goes on for a message stays working", () =>
  withPair(async ({ ada, bob, hook, send }) => {
    await hook("UserPromptSubmit");
    await statusOfBob(ada, "working");
    await send("wait", "now");
    await hook("Stop");
    const { attached } = await bob.call("agent.info", {});
    assert.deepEqual(attached.map((each) => each.status), ["working"]);
    await statusOfBob(ada, "working");
  }));

Deno.test("a status that was told before the session attached is not lost", () =>
  withPair(async ({ ada, bob, hook }) => {
    await hook("UserPromptSubmit");
    await bob.call("session.attach", SESSION);
    await statusOfBob(ada, "working");
  }, null));

Deno.test("the first hook, which runs before the server attaches, carries what waits, and only once", () =>
  withPair(async ({ bob, hook, send, confirm }) => {
    await send("while you were away");
    assert.ok(contextOf(await hook("SessionStart")).includes("while you were away"));
    await bob.call("session.attach", SESSION);
    const again = await hook("UserPromptSubmit");
    assert.ok(contextOf(again).includes("while you were away"), "it was not confirmed");
    await confirm(again);
    assert.equal((await hook("PostToolUse")).output, null);
    const { messages } = await bob.call("messages.take", { sessionId: SESSION.sessionId });
    assert.deepEqual(messages, []);
  }, null));

Deno.test("what a hook carried before the server attached does not come again after it", () =>
  withPair(async ({ bob, hook, send, confirm }) => {
    await send("only once");
    await confirm(await hook("SessionStart"));
    await bob.call("session.attach", SESSION);
    assert.equal((await hook("UserPromptSubmit")).output, null);
  }, null));

Deno.test("a message to everyone is put before each session, whoever else has seen it", () =>
  withPair(async ({ ada, bob, hook, confirm }) => {
    await bob.call("session.attach", { ...SESSION, sessionId: "other", pid: 1 });
    await ada.call("send", { to: ["*"], body: "all hands" });
    await bob.message("all hands");
    await confirm(await hook("PostToolUse", { sessionId: "other" }));
    assert.ok(contextOf(await hook("PostToolUse")).includes("all hands"));
  }));

Deno.test("a host that takes a new session id is still known by its process", () =>
  withPair(async ({ hook, send }) => {
    await send("after the clear");
    const changed = { sessionId: "id-after-clear", hostPids: [99, HOST_PID, 1] };
    assert.ok(contextOf(await hook("SessionStart", changed)).includes("after the clear"));
    const later = await hook("UserPromptSubmit", { sessionId: "id-after-clear" });
    assert.ok(
      contextOf(later).includes("after the clear"),
      "the new id alone is enough from then on",
    );
  }));

Deno.test("what the host wrote into its transcript as a channel event is not repeated, and is seen", () =>
  withPair(async ({ bob, bobsAgent, hook, send }) => {
    const { id } = await send("by channel");
    await send("not by channel");
    const transcriptPath = `${bobsAgent.folder}/transcript.jsonl`;
    const content = `<channel source="claudemesh" message_id="${id}">Ada: by channel</channel>`;
    await Deno.writeTextFile(
      transcriptPath,
      `${JSON.stringify({ type: "user", message: { content } })}\n`,
    );
    const context = contextOf(await hook("UserPromptSubmit", { transcriptPath }));
    assert.ok(context.includes("not by channel") && !context.includes("Ada: by channel"));
    const { messages } = await bob.call("messages.list", {});
    const seen = messages.filter((each) => each.seenAt !== null).map((each) => each.text);
    assert.deepEqual(seen, ["by channel"]);
  }));

Deno.test("in mode inbox a hook tells once that something waits, and never its text", () =>
  withPair(async ({ bob, hook, send }) => {
    await send("a secret");
    const context = contextOf(await hook("UserPromptSubmit"));
    assert.match(context, /1 message waits: call check_messages/);
    assert.ok(!context.includes("a secret"));
    assert.equal((await hook("PostToolUse")).output, null);
    const { messages } = await bob.call("messages.take", { sessionId: SESSION.sessionId });
    assert.deepEqual(messages.map((each) => each.text), ["a secret"]);
  }, { messageMode: "inbox" }));

Deno.test("in mode off hooks say nothing, urgent or not", () =>
  withPair(async ({ hook, send }) => {
    await send("urgent", "now");
    for (const event of ["UserPromptSubmit", "PostToolUse", "Stop"]) {
      assert.equal((await hook(event)).output, null, event);
    }
  }, { messageMode: "off" }));

Deno.test("the program's hook prints what the host expects, and what it printed is seen", () =>
  withPair(async ({ bob, bobsAgent, send }) => {
    await send("from the real hook");
    const input = {
      session_id: SESSION.sessionId,
      cwd: "/tmp",
      hook_event_name: "UserPromptSubmit",
      prompt: "go on",
    };
    const [program, ...args] = selfCommand(["hook"]);
    const environment = {
      ...await homeEnvironment(bobsAgent.folder),
      CLAUDEMESH_CONFIG_DIR: bobsAgent.folder,
    };
    const run = () => runCommand([program, ...args], environment, { stdin: JSON.stringify(input) });
    const first = await run();
    assert.equal(first.code, 0, first.stderr);
    const output = JSON.parse(first.stdout);
    assert.equal(output.hookSpecificOutput.hookEventName, "UserPromptSubmit");
    assert.ok(output.hookSpecificOutput.additionalContext.includes("from the real hook"));
    const { messages } = await bob.call("messages.list", {});
    assert.notEqual(messages[0]?.seenAt, null);
    const second = await run();
    assert.deepEqual([second.code, second.stdout, second.stderr], [0, "", ""]);
  }));
