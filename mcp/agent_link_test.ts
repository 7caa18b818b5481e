/** The MCP server's way to the agent, with agents that fail, end and come back. */
import assert from "node:assert/strict";
import type { LocalClient } from "../agent/core/local_client.ts";
import { LocalError } from "../agent/core/local_error.ts";
import type { SessionState } from "../agent/core/local_types.ts";
import { AgentLink } from "./agent_link.ts";

/** An agent that takes every session, until it is ended. */
function agent(attached: string[]): { client: LocalClient; end: () => void } {
  const closed = Promise.withResolvers<void>();
  const client = {
    greeting: { version: "1.0.0", revision: 1, pid: 1, sessions: 0 },
    warning: null,
    closed: closed.promise,
    call(method: string, params: { sessionId: string }) {
      attached.push(`${method} ${params.sessionId}`);
      return Promise.resolve({ sessionId: params.sessionId, messageMode: "push", meshes: [] });
    },
    onEvent: () => () => {},
    close() {
      closed.resolve();
      return Promise.resolve();
    },
  } as unknown as LocalClient;
  return { client, end: () => closed.resolve() };
}

function linkTo(
  connect: () => Promise<LocalClient>,
  onAttached: (state: SessionState) => void = () => {},
) {
  return new AgentLink({
    connect,
    attachment: () => ({ sessionId: "s", pid: 1, cwd: "/" }),
    onEvent: () => {},
    onAttached,
    pausesMs: [1, 2],
  });
}

Deno.test("the session is attached only once it may be, or is needed", async () => {
  const attached: string[] = [];
  const connected = Promise.withResolvers<void>();
  const link = linkTo(() => {
    connected.resolve();
    return Promise.resolve(agent(attached).client);
  });
  link.start();
  await connected.promise;
  assert.deepEqual(attached, []);
  await link.client(1_000);
  assert.deepEqual(attached, ["session.attach s"]);
  assert.equal(link.session?.sessionId, "s");
  await link.stop();
});

Deno.test("what only looks gets the connection without attaching the session, also after a failure", async () => {
  const attached: string[] = [];
  let attempts = 0;
  const link = linkTo(() => {
    attempts += 1;
    return attempts === 1
      ? Promise.reject(new LocalError("no_agent", "none"))
      : Promise.resolve(agent(attached).client);
  });
  const asked = link.connected(5_000);
  link.start();
  assert.equal((await asked).greeting.version, "1.0.0");
  assert.deepEqual([attempts, attached], [2, []]);
  await link.stop();
});

Deno.test("a tool that cannot wait any longer hears why there is no connection", async () => {
  const never = linkTo(() => new Promise(() => {}));
  await assert.rejects(never.client(1), { code: "not_connected", exit: 4 });
  const tried = Promise.withResolvers<void>();
  let attempts = 0;
  const failing = linkTo(() => {
    if (++attempts === 3) tried.resolve();
    return Promise.reject(new LocalError("agent_start_failed", "no room", { hint: "make room" }));
  });
  failing.start();
  await tried.promise;
  await assert.rejects(failing.client(1), (error: LocalError) => {
    assert.deepEqual([error.code, error.hint], ["not_connected", "make room"]);
    assert.match(error.message, /not connected: no room/);
    return true;
  });
  await failing.stop();
});

Deno.test("after the agent has ended, the session is attached to the next one", async () => {
  const attached: string[] = [];
  const first = agent(attached);
  const second = agent(attached);
  const agents = [first, second];
  const twice = Promise.withResolvers<void>();
  const link = linkTo(
    () => Promise.resolve(agents.shift()!.client),
    () => attached.length === 2 && twice.resolve(),
  );
  link.start();
  assert.equal(await link.client(1_000), first.client);
  first.end();
  await twice.promise;
  assert.equal(await link.client(1_000), second.client);
  await link.stop();
});

Deno.test("stopping ends the attempts and the connection", async () => {
  const { client } = agent([]);
  const link = linkTo(() => Promise.resolve(client));
  link.start();
  await link.client(1_000);
  await link.stop();
  await client.closed;
});
