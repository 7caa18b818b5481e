/** Interrupting a verb that waits: exit code 1, and nothing left behind. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfCommand } from "../../agent/home/self_command.ts";
import { until } from "../support/until.ts";

function start(words: readonly string[], environment: Record<string, string>) {
  const [program, ...args] = selfCommand(words);
  const env = { ...environment, NO_COLOR: "1" };
  return new Deno.Command(program, { args, env, stdout: "piped", stderr: "piped" }).spawn();
}

/** Names in a folder, and in those below if asked; what goes away meanwhile is left out. */
async function names(folder: string, deep = false): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      found.push(entry.name);
      if (deep && entry.isDirectory) found.push(...await names(join(folder, entry.name), true));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

Deno.test({
  name: "Ctrl-C ends a waiting verb with exit code 1 and prints nothing as its answer",
  ignore: Deno.build.os === "windows",
  async fn() {
    const home = await Deno.makeTempDir({ prefix: "claudemesh-cancel-" });
    const environment = { CLAUDEMESH_CONFIG_DIR: home };
    const waiting = start(["inbox", "--wait", "600", "--json"], environment);
    try {
      // The verb has started its agent, so it is at work.
      await until(
        "an agent",
        10_000,
        async () => (await names(home, true)).includes("agent.sock"),
      );
      waiting.kill("SIGINT");
      const { code, stdout } = await waiting.output();
      assert.equal(code, 1);
      assert.equal(new TextDecoder().decode(stdout), "");
    } finally {
      await start(["agent", "stop"], environment).output();
      await Deno.remove(home, { recursive: true });
    }
  },
});

Deno.test({
  name: "Ctrl-C ends the demo with its agents, its broker and its folder",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "claudemesh-cancel-" });
    const running = start(["demo", "--json"], { TMPDIR: folder });
    try {
      await until(
        "two agents",
        30_000,
        async () => (await names(folder, true)).filter((each) => each === "agent.sock").length >= 2,
      );
      running.kill("SIGINT");
      const { code, stdout } = await running.output();
      assert.equal(code, 1);
      assert.equal(new TextDecoder().decode(stdout), "");
      assert.deepEqual(await names(folder), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
