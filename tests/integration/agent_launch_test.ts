/**
 * Getting at the agent: it starts by itself, once; an older one is replaced when nobody uses it.
 */
import assert from "node:assert/strict";
import { type AgentPlace, connectAgent, stopAgent } from "../../agent/core/agent_launch.ts";
import { startDaemon } from "../../agent/daemon/daemon.ts";
import { daemonSetup } from "../../agent/daemon/main.ts";
import { Home } from "../../agent/home/home.ts";
import { homePaths } from "../../agent/home/paths.ts";
import { selfCommand } from "../../agent/home/self_command.ts";
import { homeEnvironment } from "../support/program.ts";
import config from "../../deno.json" with { type: "json" };

async function withPlace(run: (place: AgentPlace, home: Home) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "claudemesh-launch-" });
  const home = new Home(homePaths((key) => key === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined));
  const environment = { ...await homeEnvironment(folder), CLAUDEMESH_CONFIG_DIR: folder };
  try {
    await run({
      socketPath: home.paths.socketPath,
      command: selfCommand(["agent"]),
      environment,
      version: config.version,
      logPath: home.paths.logFile,
    }, home);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A test that starts an agent, which is meant to outlive whoever started it: its process ends a moment later. */
function withProcess(name: string, run: () => Promise<void>): void {
  Deno.test({ name, fn: run, sanitizeOps: false, sanitizeResources: false });
}

withProcess(
  "the agent starts when it is needed, outlives who started it, and stops when asked",
  () =>
    withPlace(async (place) => {
      await assert.rejects(connectAgent(place, { start: false }), {
        code: "agent_not_running",
        exit: 4,
      });
      const first = await connectAgent(place);
      assert.notEqual(first.greeting.pid, Deno.pid);
      await first.close();
      const second = await connectAgent(place, { start: false });
      assert.equal(second.greeting.pid, first.greeting.pid);
      await stopAgent(second);
      await assert.rejects(connectAgent(place, { start: false }), { code: "agent_not_running" });
    }),
);

withProcess("many that need the agent at once get the same one", () =>
  withPlace(async (place) => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => connectAgent(place)));
    assert.equal(new Set(clients.map((client) => client.greeting.pid)).size, 1);
    await stopAgent(clients[0]!);
    await Promise.all(clients.map((client) => client.closed));
  }));

withProcess(
  "an agent that cannot be started says why and where its log is",
  () =>
    withPlace(async (place) => {
      const command = [Deno.execPath(), "eval", "Deno.exit(3)"];
      await assert.rejects(
        connectAgent({ ...place, command }),
        (error: Error & { hint?: string }) => {
          assert.match(error.message, /could not be started: it ended with code 3/);
          assert.ok(error.hint?.includes(place.logPath));
          return true;
        },
      );
      const missing = { ...place, command: ["/nonexistent/claudemesh"] };
      await assert.rejects(connectAgent(missing), { code: "agent_start_failed" });
    }),
);

withProcess("an older agent that nobody uses is replaced", () =>
  withPlace(async (place, home) => {
    const old = await startDaemon(daemonSetup("0.0.1", home));
    const replaced = old.stopRequested.then(() => old.close());
    const client = await connectAgent(place);
    await replaced;
    assert.equal(client.greeting.version, config.version);
    assert.equal(client.warning, null);
    await stopAgent(client);
  }));

Deno.test("an older agent with a session is used, with a word about it", () =>
  withPlace(async (place, home) => {
    const old = await startDaemon(daemonSetup("0.0.1", home));
    const user = old.connect();
    await user.call("session.attach", { sessionId: "s", pid: 1, cwd: "/" });
    const client = await connectAgent(place);
    assert.equal(client.greeting.version, "0.0.1");
    assert.match(client.warning ?? "", /still runs version 0\.0\.1.*claudemesh agent stop/);
    assert.equal((await client.call("agent.info", {})).sessions, 1);
    await client.close();
    await user.close();
    await old.close();
  }));

Deno.test("something else at the socket is told from an agent", () =>
  withPlace(async (place, home) => {
    await Deno.mkdir(home.paths.runDir, { recursive: true });
    const listener = Deno.listen({ transport: "unix", path: place.socketPath });
    const greeted = (async () => {
      const connection = await listener.accept();
      await connection.write(new TextEncoder().encode("SSH-2.0-nonsense\n"));
      connection.close();
    })();
    await assert.rejects(connectAgent(place), { code: "agent_silent", exit: 4 });
    await greeted;
    listener.close();
  }));
