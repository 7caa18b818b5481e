/** One agent per home, also after a crash of the one before. */
import assert from "node:assert/strict";
import { acquireAgentLock, agentPid, isAgentRunning } from "./agent_lock.ts";
import { HomeError } from "./home_error.ts";
import { type HomePaths, homePaths } from "./paths.ts";

async function withHome(run: (paths: HomePaths) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await run(homePaths((name) => name === "CLAUDEMESH_CONFIG_DIR" ? folder : undefined));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("the second agent is refused with the first one's process id", () =>
  withHome((paths) => {
    assert.equal(isAgentRunning(paths), false);
    const lock = acquireAgentLock(paths);
    assert.equal(isAgentRunning(paths), true);
    assert.equal(agentPid(paths), Deno.pid);
    assert.throws(
      () => acquireAgentLock(paths),
      (error) =>
        error instanceof HomeError && error.code === "agent_running" && error.exit === 6 &&
        error.message.includes(String(Deno.pid)),
    );
    lock.release();
    assert.equal(isAgentRunning(paths), false);
    assert.equal(agentPid(paths), null);
    acquireAgentLock(paths).release();
  }));

Deno.test("the lock of an agent that was killed is free", () =>
  withHome(async (paths) => {
    const module = new URL("./agent_lock.ts", import.meta.url).href;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `const { acquireAgentLock } = await import(${JSON.stringify(module)});
         acquireAgentLock(JSON.parse(Deno.args[0]));
         console.log("held");
         await new Promise((resolve) => setTimeout(resolve, 60_000));`,
        JSON.stringify(paths),
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    assert.equal(isAgentRunning(paths), true);
    assert.equal(agentPid(paths), child.pid);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assert.equal(isAgentRunning(paths), false);
    acquireAgentLock(paths).release();
  }));
